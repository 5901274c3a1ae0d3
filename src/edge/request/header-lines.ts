import { type Brand, brand } from '../../kernel/index.ts'

/**
 * Header fields as HTTP/1.1 writes them: `Name: value` and CR LF for each, and nothing else. What
 * readers make of a head and writers copy into one: no list is built for what is only passed on.
 */
export type HeaderLines = Brand<string, 'HeaderLines'>

/** Takes text that its caller has checked, byte for byte: no bare CR or LF, no empty line. */
export function toHeaderLines(checked: string): HeaderLines {
  return brand(checked)
}

/** The fields one by one, names as they were written. */
export function fieldsOf(lines: HeaderLines): readonly (readonly [name: string, value: string])[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
}
