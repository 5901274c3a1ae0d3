/**
 * Every bound on what a visitor can make the edge hold, in one place. None is an option: a bound
 * that one may turn off is one that is off on the night it was needed. The bounds of a handshake and
 * of a TLS session are in `net`, with the rest of how we talk TLS.
 */

/** A request's head. Real clicks stay under 4 KB, cookies of a parent domain included. */
export const HEAD_BYTES_MAX = 16 * 1024
/** Fields of a request's head: browsers send under 30. */
export const HEAD_FIELDS_MAX = 100
/** A request's body. Tracking takes none; a remote backend's forms and reports stay far below. */
export const BODY_BYTES_MAX = 10 * 1024 * 1024

/** Sockets of one process. A connection costs about 30 KB, so this is half a gigabyte. */
export const CONNECTIONS_MAX = 16_384
/** Not yet accepted connections: the kernel caps it at net.core.somaxconn (4,096 by default). */
export const BACKLOG_CONNECTIONS = 4096

/** First byte of a head, or accept, to its end. Slow senders (Slowloris) end here. */
export const HEAD_MS_MAX = 10_000
/** First byte of a request to the last of its body. */
export const REQUEST_MS_MAX = 60_000
/** How often the two deadlines above are looked at, so they may be exceeded by as much. */
export const DEADLINE_CHECK_MS = 1000
/** Between two requests of one connection: image proxies ask again within seconds. */
export const KEEP_ALIVE_MS = 5000
/** A socket on which nothing moves, whoever's turn it is: also visitors that stop reading. */
export const SOCKET_IDLE_MS_MAX = 65_000
/** Requests of one connection, after which it is closed so that no worker keeps a peer for ever. */
export const REQUESTS_PER_CONNECTION_MAX = 10_000

/** A handshake with ourselves: needs 2 ms; the machine may be busy. */
export const SELF_HANDSHAKE_MS_MAX = 5000

/** Requests sent ahead of their answers. Browsers send none; libraries that do, a handful. */
export const PIPELINED_REQUESTS_MAX = 32

/** To a backend that is up this takes under a millisecond; a lost SYN is sent again after 1 s. */
export const BACKEND_CONNECT_MS_MAX = 3000
/** Request sent to first byte of the answer. Under SOCKET_IDLE_MS_MAX, so that a 504 still fits. */
export const BACKEND_FIRST_BYTE_MS_MAX = 30_000
/** Between two bytes of an answer. */
export const BACKEND_IDLE_MS_MAX = 60_000
/** An idle socket to a backend is closed before the backend does (Node and most others: 5 s). */
export const BACKEND_KEEP_ALIVE_MS = 4000
/** Sockets to one backend; what comes beyond waits for a free one. */
export const BACKEND_SOCKETS_MAX = 1024
/** Idle sockets kept to one backend. */
export const BACKEND_FREE_SOCKETS_MAX = 64
/** A backend that could not be reached is left out this long, while another one is there. */
export const BACKEND_REST_MS = 2000
/** An upgraded connection (WebSocket) on which nothing moves. */
export const TUNNEL_IDLE_MS_MAX = 5 * 60_000

/** RFC 8555 §8.3: a token is base64url; Let's Encrypt's has 43 characters. */
export const TOKEN_CHARACTERS_MAX = 128
/** Look-ups at once of tokens for hosts that this process has not heard of (yet). */
export const STRANGER_LOOKUPS_MAX = 8
/** Hosts remembered to have been met with the stand-in certificate; the oldest is forgotten. */
export const STAND_IN_HOSTS_MAX = 10_000
/** Hosts remembered as visited between two times that somebody asks: 5 MB of names. */
export const VISITED_HOSTS_MAX = 50_000
