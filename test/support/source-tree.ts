import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** A source file with what it imports, read as text: no file is run. */
export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string
  /** The folder below `src`, or `main` for `src/main.ts`. */
  readonly part: string
  readonly text: string
  readonly imports: readonly Import[]
}

export interface Import {
  /** As written. */
  readonly specifier: string
  /** The file it means, relative to the repository; `undefined` for packages and `node:`. */
  readonly path: string | undefined
  /** `import type …`: gone at run time, but still an arrow between parts. */
  readonly typeOnly: boolean
}

const ROOT = resolve(import.meta.dirname, '../..')
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[\s\w{},*$]+?\sfrom\s+)?'([^']+)'|import\(\s*'([^']+)'\s*\)|new URL\(\s*'([^']+\.ts)'/g

/** Every TypeScript file below `src`. */
export function readSourceTree(): readonly SourceFile[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readSourceFile(join('src', path)))
}

function readSourceFile(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const [, below = '', ...rest] = path.split('/')
  const imports = [...withoutComments(text).matchAll(IMPORT)].map((match) => {
    const specifier = match[2] ?? match[3] ?? match[4] ?? ''
    const target = specifier.startsWith('.') ? resolve(ROOT, dirname(path), specifier) : undefined
    return {
      specifier,
      path: target && relative(ROOT, target),
      typeOnly: match[1] !== undefined,
    }
  })
  return { path, part: rest.length === 0 ? 'main' : below, text, imports }
}

/** Comments may quote anything. Strings stay: specifiers are strings. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

/** Every file that running `entry` loads, and every package, following imports to the end. */
export function closureOf(
  entry: string,
  files: readonly SourceFile[],
): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const seen = new Set<string>()
  const packages = new Set<string>()
  const open = [entry]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    for (const { path: target, specifier, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (typeOnly) continue
      if (target === undefined) packages.add(specifier)
      else open.push(target)
    }
  }
  return { files: seen, packages }
}
