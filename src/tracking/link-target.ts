/** A `Location` longer than this is cut or refused by some mail scanners and proxies. */
export const TARGET_BYTES_MAX = 2000

/**
 * Reads where a link may lead: an absolute http or https URL without user, password or control
 * characters, and without a backslash that two readers would see different hosts around. Comes back
 * as it was if it is ASCII, else in the form that browsers send. `undefined` for anything else.
 */
export function parseLinkTarget(text: string): string | undefined {
  const hasControls = /[^\x20-\x7e\u0080-\uffff]/.test(text)
  if (hasControls || !/^https?:\/\/[^\s/?#@\\]+(?:[/?#]|$)/i.test(text)) return undefined
  const url = URL.parse(text)
  if (!url) return undefined
  const target = /^[\x21-\x7e]+$/.test(text) ? text : url.href
  return target.length <= TARGET_BYTES_MAX ? target : undefined
}
