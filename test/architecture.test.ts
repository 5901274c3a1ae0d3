import { describe, expect, it } from 'vitest'
import {
  closureOf,
  readSourceTree,
  type SourceFile,
  withoutComments,
} from './support/source-tree.ts'

/** Which part may import which: its own files besides. The table of the design, and law. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  telemetry: ['kernel'],
  net: ['kernel'],
  vault: ['kernel'],
  store: ['kernel', 'telemetry'],
  accounts: ['kernel', 'telemetry', 'vault', 'store'],
  certs: ['kernel', 'telemetry', 'net', 'vault', 'store'],
  hosts: ['kernel', 'telemetry', 'net', 'store'],
  challenges: ['kernel', 'telemetry', 'store'],
  events: ['kernel', 'telemetry', 'net', 'vault', 'store'],
  tracking: ['kernel', 'telemetry', 'vault', 'store'],
  delivery: ['kernel', 'telemetry', 'net', 'vault', 'store'],
  acme: ['kernel', 'telemetry', 'net', 'vault', 'store', 'certs', 'challenges'],
  lifecycle: ['kernel', 'telemetry', 'net', 'store', 'certs', 'hosts', 'challenges', 'acme'],
  edge: ['kernel', 'telemetry', 'net', 'certs', 'hosts'],
  api: [
    ...['kernel', 'telemetry', 'accounts', 'certs', 'hosts', 'acme', 'lifecycle', 'events'],
    ...['tracking', 'delivery'],
  ],
  config: ['kernel'],
  panel: ['kernel', 'telemetry'],
  app: [
    ...['kernel', 'telemetry', 'net', 'vault', 'store', 'accounts', 'certs', 'hosts'],
    ...['challenges', 'events', 'tracking', 'delivery', 'acme', 'lifecycle', 'edge', 'api'],
    ...['config', 'panel'],
  ],
  cli: ['kernel', 'config', 'app'],
  main: ['kernel', 'config', 'app', 'cli'],
}

/** Files, beside its face `index.ts`, that a part shows to those named here. */
const SIDE_DOORS: readonly { readonly file: RegExp; readonly to: readonly string[] }[] = [
  { file: /^src\/[a-z]+\/options\.ts$/, to: ['config'] },
  { file: /^src\/api\/native\/contract\.ts$/, to: ['panel', 'cli'] },
  // Light enough to be loaded before anything else is; all of app takes a second.
  { file: /^src\/app\/(?:data-directory|fleet\/worker-process)\.ts$/, to: ['main'] },
]

/** Packages that only one part may know, so that they can be replaced there. */
const PACKAGE_OWNER: Readonly<Record<string, string>> = {
  'acme-client': 'src/acme/protocol/',
  'better-sqlite3': 'src/store/sqlite/',
  commander: 'src/cli/',
  fastify: 'src/api/',
  'http-proxy': 'src/edge/',
  kysely: 'src/store/',
  'node-forge': 'src/certs/',
  pg: 'src/store/postgres/',
  pino: 'src/telemetry/',
  'prom-client': 'src/telemetry/',
  tldts: 'src/acme/',
  yaml: 'src/config/',
}

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

const files = readSourceTree()

describe('the architecture', () => {
  it('has no arrow between parts that the table does not allow', () => {
    expect(files.flatMap(forbiddenArrows)).toEqual([])
  })

  it('lets parts meet only at their faces', () => {
    expect(files.flatMap(arrowsPastTheFace)).toEqual([])
  })

  it('has no circle of files', () => {
    expect(circles(files)).toEqual([])
  })

  it('keeps each package in the part that owns it', () => {
    expect(files.flatMap(strayPackages)).toEqual([])
  })

  it('reads the clock in kernel/clock.ts only', () => {
    const read = /\bDate\.now\(|\bnew Date\(\s*\)|\bperformance\.now\(|\bhrtime\b/
    const readers = files.filter(({ text }) => read.test(withoutComments(text)))
    expect(readers.map(({ path }) => path)).toEqual(['src/kernel/clock.ts'])
  })

  it('reads the environment in config/load.ts only', () => {
    const readers = files.filter(({ text }) => /\bprocess\.env\b/.test(withoutComments(text)))
    expect(readers.map(({ path }) => path)).toEqual(['src/config/load.ts'])
  })

  it('keeps kernel free of I/O and packages', () => {
    const builtins = ['node:crypto', 'node:net', 'node:timers/promises', 'node:url', 'node:util']
    const foreign = files
      .filter(({ part }) => part === 'kernel')
      .flatMap(({ path: file, imports }) => imports.map(({ specifier }) => ({ file, specifier })))
      .filter(({ specifier }) => !specifier.startsWith('./') && !builtins.includes(specifier))
    expect(foreign).toEqual([])
  })

  it('has faces that only re-export', () => {
    const code =
      /^(?:const|let|function|class|async|if|for|await)\b|^export (?:const|function|class|async)/m
    const busy = files.filter(
      ({ path, text }) => path.endsWith('/index.ts') && code.test(withoutComments(text)),
    )
    expect(busy.map(({ path }) => path)).toEqual([])
  })

  it('loads neither acme nor api nor lifecycle into an edge worker', () => {
    const loaded = closureOf('src/app/edge-worker.ts', files)
    const heavy = [...loaded.files].filter((path) =>
      /^src\/(?:acme|api|lifecycle|delivery|config|cli|panel)\/(?!options\.ts)/.test(path),
    )
    expect(heavy).toEqual([])
    expect([...loaded.packages]).not.toContain('acme-client')
    expect([...loaded.packages]).not.toContain('fastify')
  })

  it('has no file or function past the wall', () => {
    const long = files.flatMap(({ path, text }) => [
      ...(text.split('\n').length > FILE_LINES_MAX + 1 ? [path] : []),
      ...longFunctions(text).map((name) => `${path}: ${name}`),
    ])
    expect(long).toEqual([])
  })
})

function forbiddenArrows({ path, part, imports }: SourceFile): readonly string[] {
  const allowed = MAY_IMPORT[part]
  if (!allowed) return [`${path}: '${part}' is no part of the table`]
  return imports.flatMap(({ path: target }) => {
    const other = partOf(target)
    if (other === undefined || other === part || allowed.includes(other)) return []
    return isSideDoor(target, part) ? [] : [`${path} → ${target}`]
  })
}

function arrowsPastTheFace({ path, part, imports }: SourceFile): readonly string[] {
  return imports.flatMap(({ path: target }) => {
    const other = partOf(target)
    if (other === undefined || other === part || target === `src/${other}/index.ts`) return []
    return isSideDoor(target, part) ? [] : [`${path} → ${target}`]
  })
}

function isSideDoor(target: string | undefined, part: string): boolean {
  return SIDE_DOORS.some(({ file, to }) => target && file.test(target) && to.includes(part))
}

function strayPackages({ path, imports }: SourceFile): readonly string[] {
  return imports.flatMap(({ specifier }) => {
    const name = specifier.split('/')[0] ?? ''
    const owner = PACKAGE_OWNER[name]
    return owner === undefined || path.startsWith(owner) ? [] : [`${path} imports ${name}`]
  })
}

function partOf(target: string | undefined): string | undefined {
  const [top, below, ...rest] = target?.split('/') ?? []
  return top === 'src' && rest.length > 0 ? below : undefined
}

/** Each circle once, as the path around it. Types count too: they tie files together as well. */
function circles(all: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(all.map((file) => [file.path, file]))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const { path: target } of byPath.get(path)?.imports ?? []) {
      if (target) visit(target, [...trail, path])
    }
    done.add(path)
  }
  for (const { path } of all) visit(path, [])
  return found
}

/** Functions at the top of a file: from their first line to the closing brace at its margin. */
function longFunctions(text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, start) => {
    const name = /^(?:export )?(?:async )?function\*? (\w+)/.exec(line)?.[1]
    if (name === undefined) return []
    const length = lines.slice(start).findIndex((later) => later.startsWith('}')) + 1
    return length > FUNCTION_LINES_MAX ? [`${name} (${length} lines)`] : []
  })
}
