/** Ends a switch over a union: a case that was forgotten is a type error here. */
export function unreachable(value: never): never {
  throw new TypeError(`Unexpected case: ${JSON.stringify(value)}`)
}
