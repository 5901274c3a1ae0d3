/** One request as some reader understood it. */
export interface Reading {
  readonly method: string
  /** Origin-form. */
  readonly target: string
  /** Lower-case and without a port. */
  readonly host: string
  readonly body: string
}

/** What a target and a `Host` mean, whatever form the target came in. */
export function routeOf(target: string, host: string): Pick<Reading, 'target' | 'host'> {
  const [, authority, rest = ''] = /^[a-z]+:\/\/([^/?]*)(.*)$/i.exec(target) ?? []
  return {
    target: authority === undefined || rest.startsWith('/') ? rest || target : `/${rest}`,
    host: (authority ?? host).toLowerCase().replace(/:\d*$/, ''),
  }
}

/** For messages: one line. */
export function describeReading({ method, target, host, body }: Reading): string {
  return `${method} ${host}${target.slice(0, 80)} + ${body.length} bytes`
}
