import { unreachable } from '../../kernel/index.ts'
import { type BodyReader, createSizedReader, READER_UNTIL_CLOSE } from './body-reader.ts'
import { createChunkedReader } from './chunked-reader.ts'
import type { ResponseHead } from './response-head.ts'

// RFC 9112 §6.3: where the body of an answer ends. Stricter where §6.3 allows a choice: a length beside
// a coding, a repeated length and any coding but one `chunked` are broken, not repaired.

/** Where a body ends. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'sized'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }

export type FramingVerdict = BodyFraming | { readonly kind: 'broken' }

const BROKEN: FramingVerdict = { kind: 'broken' }
const NONE: FramingVerdict = { kind: 'none' }
const CHUNKED: FramingVerdict = { kind: 'chunked' }
const UNTIL_CLOSE: FramingVerdict = { kind: 'until-close' }

/** Says where the body of an answer to `method` ends. */
export function framingOf(head: ResponseHead, method: string): FramingVerdict {
  const { transferEncoding, contentLength, status } = head
  const isChunked = transferEncoding !== undefined
  if (isChunked && !mayBeChunked(head)) return BROKEN
  if (contentLength !== undefined && !PLAIN_NUMBER.test(contentLength)) return BROKEN
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NONE
  if (isChunked) return CHUNKED
  return contentLength === undefined ? UNTIL_CLOSE : { kind: 'sized', bytes: Number(contentLength) }
}

/** Under 10^15, so that no digit is lost. */
const PLAIN_NUMBER = /^(?:0|[1-9]\d{0,14})$/

function mayBeChunked({ transferEncoding, contentLength, version }: ResponseHead): boolean {
  const isOnly = transferEncoding?.toLowerCase() === 'chunked'
  return isOnly && contentLength === undefined && version === '1.1'
}

/** What takes a body so framed out of its connection. */
export function createBodyReader(framing: BodyFraming): BodyReader {
  switch (framing.kind) {
    case 'none':
      return createSizedReader(0)
    case 'sized':
      return createSizedReader(framing.bytes)
    case 'chunked':
      return createChunkedReader()
    case 'until-close':
      return READER_UNTIL_CLOSE
    default:
      return unreachable(framing)
  }
}
