declare const brandName: unique symbol
declare const brandBase: unique symbol

/** A `Base` that was checked once, at the border, and cannot be confused with another. */
export type Brand<Base, Name extends string> = Base & {
  readonly [brandName]: Name
  readonly [brandBase]?: Base
}

/** Marks a checked value. Only the function that did the checking calls this. */
export function brand<Branded extends { readonly [brandBase]?: unknown }>(
  value: NonNullable<Branded[typeof brandBase]>,
): Branded {
  return value as unknown as Branded
}
