/** Where a value came from, for people to find it again. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string }

/** A value as somebody gave it: not yet checked. */
export interface GivenValue {
  readonly key: string
  readonly value: unknown
  readonly origin: Origin
}

/** `postern.yaml line 3`, `environment POSTERN_EDGE_HTTP`, `flag --edge.http`, `default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default'
    case 'file':
      return `${origin.path} line ${origin.line}`
    case 'environment':
      return `environment ${origin.name}`
    case 'flag':
      return `flag ${origin.name}`
  }
}
