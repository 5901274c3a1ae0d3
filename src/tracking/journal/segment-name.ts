/**
 * Whose hits a journal holds: those the embedded backend answered, for the store; or those that are
 * owed to the operator's backend, which did not answer.
 */
export type JournalKind = 'hits' | 'owed'

/** One file of a journal. */
export interface SegmentName {
  readonly kind: JournalKind
  /** Who wrote it: drawn by each process when it starts, and sorting by that time. */
  readonly writer: string
  /** The how-manieth of its writer. */
  readonly number: number
  /**
   * `taken`: a reader has claimed it, and its writer goes on in another one. `refused`: hits at which
   * the backend failed again and again, for people; renamed without that suffix they are sent again.
   */
  readonly state: 'open' | 'taken' | 'damaged' | 'refused'
}

const NAME = /^([0-9a-f]{32})-(\d{8})\.(hits|owed)(?:\.(taken|damaged|refused))?$/
const NUMBER_DIGITS = 8

export function formatSegmentName({ kind, writer, number, state }: SegmentName): string {
  const suffix = state === 'open' ? '' : `.${state}`
  return `${writer}-${String(number).padStart(NUMBER_DIGITS, '0')}.${kind}${suffix}`
}

/** `undefined` for a file that is no segment. */
export function parseSegmentName(text: string): SegmentName | undefined {
  const [, writer, number, kind, state = 'open'] = NAME.exec(text) ?? []
  if (writer === undefined || (kind !== 'hits' && kind !== 'owed')) return undefined
  if (!isState(state)) return undefined
  return { kind, writer, number: Number(number), state }
}

function isState(text: string): text is SegmentName['state'] {
  return ['open', 'taken', 'damaged', 'refused'].includes(text)
}
