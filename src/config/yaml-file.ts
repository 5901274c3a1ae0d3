import { readFile } from 'node:fs/promises'
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { ConfigError } from './errors.ts'
import type { GivenValue } from './given.ts'

/** No honest configuration is longer; a wrong file name (a database, say) is noticed at once. */
const FILE_BYTES_MAX = 1_000_000

/**
 * Reads the values of a YAML 1.2 file; `undefined` if there is no such file. Both forms are good:
 * `edge: { http: ':80' }` and `edge.http: ':80'`. Throws 'config/unreadable'.
 */
export async function readYamlFile(
  path: string,
  shownPath: string = path,
): Promise<readonly GivenValue[] | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : parseYaml(text, shownPath)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path)
    if (bytes.length <= FILE_BYTES_MAX) return bytes.toString('utf8')
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw cannotRead(path, cause)
  }
  throw new ConfigError('config/unreadable', `The configuration ${path} is over a megabyte.`, {
    fix: 'Name a YAML file with settings.',
  })
}

function cannotRead(path: string, cause: unknown): ConfigError {
  return new ConfigError('config/unreadable', `The configuration ${path} cannot be read.`, {
    cause,
    fix: 'Make it a file that this user may read.',
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The values in a YAML text, each with its line. */
function parseYaml(text: string, path: string): readonly GivenValue[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, version: '1.2' })
  const [fault] = document.errors
  if (fault) {
    const line = lines.linePos(fault.pos[0]).line
    throw new ConfigError('config/unreadable', `${path} line ${line} is not YAML.`, {
      cause: fault,
      fix: `Correct it: ${fault.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? ''}.`,
    })
  }
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return []
  const values = valuesBelow({ document, path, lines }, contents, '')
  if (values) return values
  throw new ConfigError('config/unreadable', `${path} holds no settings.`, {
    fix: 'Write lines like `edge.name: track.example.com`.',
  })
}

interface YamlText {
  readonly document: Document
  readonly path: string
  readonly lines: LineCounter
}

/** `undefined` if the node is no mapping. A part without any option under it is no fault. */
function valuesBelow(yaml: YamlText, node: Node, prefix: string): GivenValue[] | undefined {
  if (!isMap<Node, Node | null>(node)) return undefined
  return node.items.flatMap(({ key, value }) => {
    const name = `${prefix}${String(isScalar(key) ? key.value : key)}`
    const below = value && !name.includes('.') ? valuesBelow(yaml, value, `${name}.`) : undefined
    if (below) return below
    const given: unknown = value?.toJS(yaml.document) ?? null
    if (given === null) return []
    const line = yaml.lines.linePos(key.range?.[0] ?? 0).line
    return [{ key: name, value: given, origin: { kind: 'file', path: yaml.path, line } }]
  })
}
