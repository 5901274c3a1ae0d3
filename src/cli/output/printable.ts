/**
 * Text from elsewhere, safe for a terminal: DNS answers and CAs' problems may hold escape sequences
 * or marks that turn the direction of writing.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u00b7')
}
