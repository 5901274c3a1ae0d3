/** Takes the body out of the bytes of a connection, whatever pieces they come in. */
export interface BodyReader {
  /**
   * Reads on at `from` and gives the body's bytes to `take`. Returns where the body has ended, `more`
   * for a body that goes on, or `broken`.
   */
  read(bytes: Buffer, from: number, take: (piece: Buffer) => void): number | 'more' | 'broken'
}

/** For a body that ends with its connection. */
export const READER_UNTIL_CLOSE: BodyReader = {
  read: (bytes, from, take) => {
    if (from < bytes.length) take(bytes.subarray(from))
    return 'more'
  },
}

/** For a body whose length was announced. */
export function createSizedReader(size: number): BodyReader {
  let missing = size
  return {
    read: (bytes, from, take) => {
      const end = Math.min(from + missing, bytes.length)
      missing -= end - from
      if (end > from) take(bytes.subarray(from, end))
      return missing === 0 ? end : 'more'
    },
  }
}
