/**
 * Text of strangers (a header, a body, a DNS record) made fit for a sentence: printable ASCII only,
 * cut short. Whatever it was, it cannot break a terminal, a log line or a page.
 */
export function toPrintable(text: string, charactersMax = PRINTABLE_CHARACTERS_MAX): string {
  const line = text
    .slice(0, charactersMax * 4)
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
  return line.length > charactersMax ? `${line.slice(0, charactersMax - 1).trimEnd()}~` : line
}

/** Enough to recognise somebody's answer, too little to carry anything off. */
const PRINTABLE_CHARACTERS_MAX = 80
