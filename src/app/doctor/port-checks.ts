import { once } from 'node:events'
import { createServer } from 'node:net'
import { formatListenAddress, type ListenAddress, parseListenAddresses } from '../../edge/index.ts'
import type { DoctorCheck, DoctorDeps, Finding } from './check.ts'
import type { FindServer } from './running-server.ts'

/** Each address to listen on: free, or held by the server that runs here already. */
export function portChecks(
  { config }: Pick<DoctorDeps, 'config'>,
  findServer: FindServer,
): readonly DoctorCheck[] {
  const { host, port } = config.api.listen
  const wanted: readonly (readonly [string, readonly ListenAddress[]])[] = [
    ['edge.http', parseListenAddresses(config.edge.http)],
    ['edge.https', parseListenAddresses(config.edge.https)],
    ['api.listen', [host === undefined ? { port } : { host, port }]],
  ]
  return wanted.flatMap(([setting, addresses]) =>
    addresses.map((address) => ({
      name: `${setting} ${formatListenAddress(address)}`,
      run: () => lookAt(address, setting, findServer),
    })),
  )
}

async function lookAt(
  address: ListenAddress,
  setting: string,
  findServer: FindServer,
): Promise<Finding> {
  const refusal = await tryToListen(address)
  if (refusal === undefined) return { verdict: 'ok', seen: 'free' }
  if (refusal === 'EADDRINUSE') {
    const server = await findServer()
    if (server) return { verdict: 'ok', seen: `in use; our server runs as ${server.pid}` }
    const fix = `Stop the program that uses it (ss -ltnp shows which), or change ${setting}.`
    return { verdict: 'bad', seen: 'used by another program', fix }
  }
  if (refusal === 'EACCES') {
    const fix = `Allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE in systemd), or change ${setting}.`
    return { verdict: 'bad', seen: 'this user may not listen there', fix }
  }
  const fix = `Set ${setting} to an address of this machine.`
  return { verdict: 'bad', seen: `cannot listen there (${refusal})`, fix }
}

/** Listens for a moment; the code of what went wrong, if anything did. */
async function tryToListen({ host, port }: ListenAddress): Promise<string | undefined> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) })
    await listening
    server.close()
    await once(server, 'close')
    return undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
}
