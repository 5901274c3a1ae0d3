import type { Hostname } from '../../kernel/index.ts'
import type { BackendAddress } from './backend-address.ts'

/** A visitor's request, after the rules: what an in-process backend may rely on. */
export interface EdgeRequest {
  readonly method: string
  /** A host that is ours. */
  readonly hostname: Hostname
  /** Origin-form: starts with a slash, only bytes that RFC 9112 §3.2 and browsers allow. */
  readonly target: string
  /** The peer's address; IPv4 in its own form even on a dual-stack socket. */
  readonly address: string
  readonly userAgent: string
  /** Whether it came over TLS. */
  readonly secure: boolean
  /** Unlike any other's. */
  readonly requestId: string
}

/** A whole answer. The edge adds `Content-Length`, `Date` and `Connection`. */
export interface EdgeResponse {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** A backend in this process. MUST answer every request in bounded time; bodies are not read. */
export interface Backend {
  handle(request: EdgeRequest): Promise<EdgeResponse>
}

/** Answers our own signed links in place of a backend that does not. `tracking` implements it. */
export interface LinkRescue {
  /**
   * The answer, once the hit is noted down for the backend; `undefined` for what is no link of ours.
   * MUST be quick: its visitor has waited for the backend already.
   */
  answerFor(request: RescueRequest): Promise<EdgeResponse | undefined>
}

/** A request that the backend let down; a first attempt may have told it the request's id already. */
export interface RescueRequest extends EdgeRequest {
  /** The port that the visitor came to. */
  readonly port: number
}

/** What answers visitors: this process, or the operator's own servers (taken in turn). */
export type BackendTarget =
  | { readonly kind: 'embedded'; readonly backend: Backend }
  | {
      readonly kind: 'remote'
      readonly targets: readonly BackendAddress[]
      /** What answers signed links when they do not; absent: the visitor is told that they are away. */
      readonly rescue?: LinkRescue | undefined
    }
