import { request } from 'node:https'
import type { Pebble } from '../../src/cli/demo/pebble.ts'

/** What Pebble is to say of this certificate when asked (RFC 9773); any text, right or wrong. */
export async function setRenewalInfo(
  { managementUrl, httpsRootPem }: Pick<Pebble, 'managementUrl' | 'httpsRootPem'>,
  chainPem: string,
  answer: string,
): Promise<void> {
  const [leaf = ''] = /-----BEGIN[\s\S]+?-----END CERTIFICATE-----/.exec(chainPem) ?? []
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const asking = request(`${managementUrl}/set-renewal-info/`, {
    ...{ method: 'POST', ca: httpsRootPem, headers: { 'User-Agent': 'Postern' } },
  })
  asking.once('error', reject)
  asking.once('response', (response) => {
    response.resume()
    resolve(response.statusCode)
  })
  asking.end(JSON.stringify({ Certificate: leaf, ARIResponse: answer }))
  const status = await promise
  if (status !== 200) throw new Error(`Pebble answered ${status}`)
}

/** A window as a CA writes it. */
export function windowText(start: Date, end: Date, explanationURL?: string): string {
  return JSON.stringify({ suggestedWindow: { start, end }, explanationURL })
}
