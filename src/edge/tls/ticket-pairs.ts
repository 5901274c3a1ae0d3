/**
 * Tells the second ticket of a full TLS 1.3 handshake from all others: OpenSSL gives two, and Node
 * has no way to ask it for one. The callback does not learn which connection it is for. But in
 * OpenSSL's order a TLS 1.3 handshake is over first, and then its tickets are sealed, in the same
 * turn of the loop; on TLS 1.2 it is the other way round.
 *
 * | a handshake | what is seen of it |
 * |---|---|
 * | TLS 1.3 | over, seals, seals |
 * | TLS 1.3, resumed | over, seals |
 * | TLS 1.2 | seals, over |
 * | TLS 1.2, resumed | seals … over |
 *
 * Others come in between only where there are dots. If that order changes, somebody is given two
 * tickets, or none once: `self-test.ts` notices a client that gets none.
 */
export interface TicketPairs {
  /** A handshake is over. */
  over(handshake: { readonly isPairDue: boolean }): void
  /** A ticket is to be sealed: whether it is one too many. */
  isSecond(): boolean
}

export function createTicketPairs(): TicketPairs {
  let next: 'single' | 'first' | 'second' = 'single'
  return {
    over: ({ isPairDue }) => {
      next = isPairDue ? 'first' : 'single'
    },
    isSecond: () => {
      const isSecond = next === 'second'
      next = next === 'first' ? 'second' : 'single'
      return isSecond
    },
  }
}
