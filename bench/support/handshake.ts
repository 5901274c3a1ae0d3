import { connect, type PeerCertificate } from 'node:tls'

/** One TLS handshake with the certificate verified against `ca`; rejects if it does not verify. */
function handshake(
  port: number,
  servername: string,
  ca: string,
): Promise<{ readonly certificate: PeerCertificate }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, ca })
    socket.once('secureConnect', () => {
      resolve({ certificate: socket.getPeerCertificate() })
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** Tries handshakes until one verifies, and tells how many milliseconds that took. */
export async function firstHandshake(
  port: number,
  servername: string,
  ca: string,
  msMax: number,
): Promise<number> {
  const started = performance.now()
  for (;;) {
    try {
      await handshake(port, servername, ca)
      return performance.now() - started
    } catch (error) {
      if (performance.now() - started > msMax) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
}
