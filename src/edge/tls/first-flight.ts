import type { Socket } from 'node:net'
import type { HandshakeResult } from '../../telemetry/index.ts'
import { type ClientHello, readClientHello } from './client-hello.ts'
import type { HelloRefusal } from './hello-verdict.ts'

/**
 * Reads what a client says first, before any TLS is made for it: strangers and clients of another
 * age cost a look at their hello, and no handshake. All others are handed over with every byte put
 * back; what cannot be read is handed over as well, for OpenSSL to judge.
 */
export interface FirstFlight {
  receive(socket: Socket): void
}

export interface FirstFlightDeps {
  readonly judge: (hello: ClientHello) => HelloRefusal | undefined
  /** `hello`: `undefined` if it could not be read. */
  readonly handOver: (socket: Socket, hello: ClientHello | undefined) => void
  readonly count: (result: HandshakeResult) => void
}

export function createFirstFlight(deps: FirstFlightDeps): FirstFlight {
  return { receive: (socket) => new Receiving(socket, deps).begin() }
}

class Receiving {
  readonly #socket: Socket
  readonly #deps: FirstFlightDeps
  #bytes: Buffer | undefined
  #hasLeft = false

  constructor(socket: Socket, deps: FirstFlightDeps) {
    this.#socket = socket
    this.#deps = deps
  }

  begin(): void {
    // Stays: an error after the hand-over is the TLS session's to tell of.
    this.#socket.on('error', this.#onLeft)
    this.#socket.on('data', this.#onData)
    this.#socket.on('end', this.#onLeft)
    this.#socket.on('close', this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes ? Buffer.concat([this.#bytes, chunk]) : chunk
    const reading = readClientHello(this.#bytes)
    if (reading.kind === 'incomplete') return
    const hello = reading.kind === 'hello' ? reading.hello : undefined
    const refusal = hello && this.#deps.judge(hello)
    this.#stop()
    if (refusal) this.#refuse(refusal)
    else this.#handOver(this.#bytes, hello)
  }

  /** It may say no more, and we have not said anything: there is nothing to wait for. */
  readonly #onLeft = (): void => {
    this.#hasLeft = true
    this.#socket.destroy()
  }

  readonly #onClose = (): void => {
    // Ended by us, because it took too long or made room for others, if it did not leave itself.
    this.#deps.count(this.#hasLeft ? 'aborted' : 'timeout')
  }

  #stop(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onLeft)
    this.#socket.off('close', this.#onClose)
  }

  #refuse({ result, alert }: HelloRefusal): void {
    this.#deps.count(result)
    // All it sent was read: so the alert is not lost to a reset.
    this.#socket.write(alert)
    this.#socket.destroySoon()
  }

  #handOver(bytes: Buffer, hello: ClientHello | undefined): void {
    this.#socket.pause()
    this.#socket.unshift(bytes)
    this.#deps.handOver(this.#socket, hello)
  }
}
