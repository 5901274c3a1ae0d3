import { z } from 'zod'
import type { Hit } from '../hit.ts'

// A list and not an object: half the bytes. Later versions add at the end, and read the shorter one.

const payload = z
  .tuple([
    z.string().min(1),
    z.int(),
    z.enum(['click', 'open']),
    z.string(),
    z.string(),
    z.string().nullable(),
    z.string(),
    z.string(),
  ])
  .rest(z.unknown())

const request = z.tuple([z.string().startsWith('/'), z.enum(['http', 'https']), z.int()])

/** Writes a hit for the journal. */
export function hitToPayload(hit: Hit): string {
  const { id, at, kind, hostname, reference, target, address, userAgent, owed } = hit
  const facts = [id, at.getTime(), kind, hostname, reference, target ?? null, address, userAgent]
  if (owed) facts.push(owed.target, owed.scheme, owed.port)
  return JSON.stringify(facts)
}

/** Reads what `hitToPayload` wrote; `undefined` for what it cannot have written. */
export function payloadToHit(text: string): Hit | undefined {
  const read = payload.safeParse(parseJson(text))
  if (!read.success) return undefined
  const [id, atMs, kind, hostname, reference, target, address, userAgent, ...rest] = read.data
  const asked = request.safeParse(rest)
  const owed = asked.success
    ? { target: asked.data[0], scheme: asked.data[1], port: asked.data[2] }
    : undefined
  const at = new Date(atMs)
  const hit = { id, at, kind, hostname, reference, target: target ?? undefined, address, userAgent }
  return { ...hit, owed }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
