import { createPublicKey, type KeyObject } from 'node:crypto'
import { createTestCa, newKey } from '../certificates.ts'
import type { Observed, Question } from './ca-state.ts'

/** Certificates that nobody may ever serve. */
export const ROGUES = [
  'wrong-name',
  'wrong-key',
  'expired',
  'future',
  'empty',
  'html',
  'twenty-megabytes',
  'no-chain',
] as const

export type Rogue = (typeof ROGUES)[number]

const DAY_MS = 24 * 3_600_000
const TWENTY_MEGABYTES = 20 * 1024 * 1024

/** A CA gone mad: what it sends instead of the certificate that was asked for. */
export interface RoguesInside {
  send(rogues: readonly Rogue[]): void
  /** Listens for requests (RFC 2986), and tells what is sent instead of a certificate. */
  replace(question: Question, observed: Observed): Buffer | undefined
  reset(): void
}

interface Wanted {
  readonly csr: Buffer
  readonly name: string
}

export function createRogues(nowMs: () => number): RoguesInside {
  let waiting: Rogue[] = []
  const csrByFinalize = new Map<string, Buffer>()
  const wantedByCertificate = new Map<string, Wanted>()
  const listen = ({ kind, path, payload }: Question, { body }: Observed): void => {
    const csr = payload?.['csr']
    if (kind === 'finalize' && typeof csr === 'string') {
      csrByFinalize.set(path, Buffer.from(csr, 'base64url'))
    }
    if (kind !== 'finalize' && kind !== 'order') return
    const { finalize, certificate, identifiers } = JSON.parse(body) as {
      readonly finalize?: string
      readonly certificate?: string
      readonly identifiers?: readonly { readonly value: string }[]
    }
    const wanted = finalize && csrByFinalize.get(new URL(finalize).pathname)
    const name = identifiers?.[0]?.value ?? ''
    if (wanted && certificate) {
      wantedByCertificate.set(new URL(certificate).pathname, { csr: wanted, name })
    }
  }
  return {
    send: (rogues) => {
      waiting.push(...rogues)
    },
    replace: (question, observed) => {
      if (observed.status >= 300) return undefined
      listen(question, observed)
      const wanted = wantedByCertificate.get(question.path)
      const rogue = wanted && waiting.shift()
      return rogue && Buffer.from(rogueBody(rogue, wanted, observed.body, nowMs()))
    },
    reset: () => {
      waiting = []
    },
  }
}

function rogueBody(rogue: Rogue, { csr, name }: Wanted, original: string, nowMs: number): string {
  const ca = createTestCa({ now: new Date(nowMs) })
  const key = keyOf(csr)
  const days = (start: number, end: number) => ({
    notBefore: new Date(nowMs + start * DAY_MS),
    notAfter: new Date(nowMs + end * DAY_MS),
  })
  switch (rogue) {
    case 'wrong-name':
      return ca.certify(key, { names: [`other.${name}`] })
    case 'wrong-key':
      return ca.certify(newKey(), { names: [name] })
    case 'expired':
      return ca.certify(key, { names: [name], ...days(-91, -1) })
    case 'future':
      return ca.certify(key, { names: [name], ...days(2, 92) })
    case 'empty':
      return ''
    case 'html':
      return '<html><body>Welcome to our hotel</body></html>'
    case 'twenty-megabytes':
      return original + '\n'.repeat(TWENTY_MEGABYTES)
    case 'no-chain':
      return original.slice(0, original.indexOf(PEM_END) + PEM_END.length)
  }
}

const PEM_END = '-----END CERTIFICATE-----\n'

/** The key of a request (RFC 2986 §4): the third thing in the first thing. */
function keyOf(csr: Buffer): KeyObject {
  const info = childrenOf(childrenOf(csr)[0] ?? Buffer.alloc(0))
  const spki = info[2] ?? Buffer.alloc(0)
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}

/** The elements inside a DER element, each with its head. */
function childrenOf(element: Buffer): readonly Buffer[] {
  const children: Buffer[] = []
  for (let at = headBytes(element); at < element.length; ) {
    const end = at + headBytes(element.subarray(at)) + contentBytes(element.subarray(at))
    children.push(element.subarray(at, end))
    at = end
  }
  return children
}

function headBytes(element: Buffer): number {
  const first = element[1] ?? 0
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

function contentBytes(element: Buffer): number {
  const first = element[1] ?? 0
  return first < 0x80 ? first : element.readUIntBE(2, first & 0x7f)
}
