import { addAbortListener } from 'node:events'
import { readFile } from 'node:fs/promises'
import { CliError } from './errors.ts'

/** Where commands read from: standard input, or what a test types. */
export interface TextSource extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean | undefined
  /** Keys one by one, not shown: only where there is a terminal. */
  setRawMode?(isRaw: boolean): unknown
  destroy?(): unknown
}

interface Asking {
  readonly stdin: TextSource
  /** Where questions are shown. */
  readonly note: (text: string) => void
  readonly signal: AbortSignal
}

/** No password and no answer is longer. */
const LINE_CHARACTERS_MAX = 10_000

/**
 * A password, from the first line of a file (`-`: of standard input), else typed unseen. Never from
 * the command line, where `ps` shows it. Throws 'cli/usage' where nobody can be asked.
 */
export async function readPassword(
  { file, question }: { readonly file: string | undefined; readonly question: string },
  asking: Asking,
): Promise<string> {
  if (file === '-') return readLine(asking)
  if (file !== undefined) return firstLineOf(await readText(file))
  if (asking.stdin.isTTY !== true) {
    throw new CliError('cli/usage', 'There is nobody to type a password.', {
      fix: 'Give it with --password-file FILE; - reads it from standard input.',
    })
  }
  asking.note(question)
  const typed = await readHidden(asking)
  asking.note('\n')
  return typed
}

/** Asks for a yes. Throws 'cli/usage' where nobody can be asked. */
export async function confirm(question: string, asking: Asking): Promise<boolean> {
  if (asking.stdin.isTTY !== true) {
    throw new CliError('cli/usage', 'There is nobody to ask whether this is meant.', {
      fix: 'Add --yes if it is.',
    })
  }
  asking.note(`${question} [y/N] `)
  return /^y(es)?$/i.test((await readLine(asking)).trim())
}

/** A file that the command line names. Throws 'cli/usage' if it cannot be read. */
export async function readNamedFile(path: string, bytesMax: number): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CliError('cli/usage', `${path} cannot be read.`, {
      cause,
      fix: 'Name a file that this user may read.',
    })
  })
  if (bytes.length <= bytesMax) return bytes
  throw new CliError('cli/usage', `${path} is larger than ${bytesMax / 1024} kB.`, {
    fix: 'Name the file of one certificate or key.',
  })
}

async function readText(path: string): Promise<string> {
  return (await readNamedFile(path, LINE_CHARACTERS_MAX)).toString('utf8')
}

async function readLine({ stdin, signal }: Asking): Promise<string> {
  using _listening = addAbortListener(signal, () => stdin.destroy?.())
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > LINE_CHARACTERS_MAX) break
  }
  return firstLineOf(text)
}

async function readHidden({ stdin, signal }: Asking): Promise<string> {
  using _listening = addAbortListener(signal, () => stdin.destroy?.())
  stdin.setRawMode?.(true)
  try {
    return await typedUntilEnter(stdin)
  } finally {
    stdin.setRawMode?.(false)
  }
}

/** A raw terminal sends Ctrl-C and the like as characters. */
async function typedUntilEnter(stdin: TextSource): Promise<string> {
  let typed = ''
  for await (const chunk of stdin) {
    for (const key of String(chunk)) {
      if (ENTER.has(key)) return typed
      if (key === CTRL_C) throw new CliError('cli/interrupted', 'Interrupted.')
      typed = BACKSPACE.has(key) ? typed.slice(0, -1) : typed + key
    }
    if (typed.length > LINE_CHARACTERS_MAX) return typed
  }
  return typed
}

const CTRL_C = '\u0003'
const ENTER = new Set(['\r', '\n', '\u0004'])
const BACKSPACE = new Set(['\b', '\u007f'])

function firstLineOf(text: string): string {
  return /^[^\r\n]*/.exec(text)?.[0] ?? ''
}
