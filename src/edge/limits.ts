/**
 * Every bound on what a visitor can make the edge hold, in one place. None is an option: a bound
 * that one may turn off is one that is off on the night it was needed. The bounds of a handshake and
 * of a TLS session are in `net`, with the rest of how we talk TLS.
 */

/** A request's head. Real clicks stay under 4 KB, cookies of a parent domain included. */
export const HEAD_BYTES_MAX = 16 * 1024
/** Fields of a request's head: browsers send under 30. */
export const HEAD_FIELDS_MAX = 100
/** Pieces in which the gate takes a head, read from its beginning with each. Browsers send one. */
export const HEAD_PIECES_MAX = 64
/** A request's body. Tracking takes none; a remote backend's forms and reports stay far below. */
export const BODY_BYTES_MAX = 10 * 1024 * 1024

/** Sockets of one process, if it may have that many. At 60 KB each, this is a gigabyte. */
export const CONNECTIONS_MAX = 16_384
/**
 * What a connection over TLS takes, in V8 and outside of it: estimated at 30 KB, doubled.
 */
export const CONNECTION_BYTES = 60 * 1024
/** Not yet accepted connections: the kernel caps it at net.core.somaxconn (4,096 by default). */
export const BACKLOG_CONNECTIONS = 4096

/** And in V8's heap alone, with a whole head that is not at its end: the head, and its objects. */
export const CONNECTION_HEAP_BYTES = HEAD_BYTES_MAX + 16 * 1024
/** What a worker's heap holds without any. */
export const HEAP_BASE_BYTES = 40 * 1024 * 1024
/** However small the heap: fewer would not be worth a process. */
export const CONNECTIONS_MIN = 256

/**
 * Open connections of one address (IPv6: one /64) to one process. Image proxies of mail providers and
 * whole mobile networks come from few addresses: a busy one holds some hundreds, since idle ones end
 * after `KEEP_ALIVE_MS`. Eight addresses are needed to fill a process.
 */
export const CONNECTIONS_PER_ADDRESS_MAX = 2048
/**
 * New connections of one address per second and process, each a handshake of half a millisecond: a
 * quarter of a core. 300 opens per second from one address are a campaign to a million of its users
 * within the hour.
 */
export const NEW_CONNECTIONS_PER_ADDRESS_PER_SECOND = 500
/** And so many at once: a mail to everybody in one company, opened on the minute. */
export const NEW_CONNECTIONS_PER_ADDRESS_BURST = 2000
/** Addresses whose pace is remembered: 4 MB. Beyond, one that came long ago and left is forgotten. */
export const ADDRESSES_REMEMBERED_MAX = 32_768

/** Descriptors kept for what is not a visitor: a worker has about 40 open, and logs rotate. */
export const SPARE_DESCRIPTORS = 128
/** Where the system does not say how many it allows: POSIX's usual soft limit. */
export const DESCRIPTORS_ASSUMED = 1024
/** Below this the operator is told: fewer visitors fit than a small server has memory for. */
export const DESCRIPTORS_WISHED = 4096

/** How often all connections and the memory are looked at: 0.1 µs for each, 2 ms for 16,384. */
export const SWEEP_MS = 1000
/** A connection that has asked for nothing for so long may be ended where there is no room. */
export const SILENT_MS_MIN = 2000
/** An answer that nobody has read on for so long: its connection may be ended where there is no room. */
export const STALLED_MS_MIN = 5000
/** Ended at once when there is no room, so that not every newcomer has all the others looked at. */
export const SHED_CONNECTIONS = 64
/** After nobody could be ended, newcomers are turned away this long without looking again. */
export const SHED_PAUSE_MS = 250
/** Whom to end is found by looking at all, at most so often: 2 ms for 16,384 of which few may be. */
export const SHED_LOOK_MS_MIN = 50
/** The part of all connections that is ended per sweep when memory or descriptors are short. */
export const SHED_SHARE = 1 / 8

/**
 * A visitor has to read `READ_BYTES_MIN` of a waiting answer in each `READ_WINDOW_MS`: 270 bytes
 * per second. An answer is written in pieces of up to 64 KB, and a piece counts once it is through.
 */
export const READ_WINDOW_MS = 60_000
export const READ_BYTES_MIN = 16 * 1024

/**
 * Of the memory that a process may have: from here on nobody new is let in. Beyond, V8 would collect
 * most of the time …
 */
export const MEMORY_HIGH_SHARE = 0.85
/** … until it is below this. */
export const MEMORY_LOW_SHARE = 0.75

/** A shortage is told to the operator once it has lasted this long, and is over when it stayed away as long. */
export const STRAIN_TOLD_MS = 5000

/** First byte of a head, or accept, to its end. Slow senders (Slowloris) end here. */
export const HEAD_MS_MAX = 5000
/**
 * Out of the handshake, or accepted in clear, to the end of the first head, whoever reads it: each
 * reader ends a late head itself and says so, but one that takes over from another begins anew.
 */
export const FIRST_HEAD_MS_MAX = HEAD_MS_MAX + 1000
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

/** Accept to the end of the handshake, which itself may take 5 s (`net`) from its first bytes on. */
export const SECURED_MS_MAX = 6000
/** Above that many strangers a second, hellos are looked at before TLS is made for them. */
export const STRANGERS_PER_SECOND_MAX = 100
/** And for so long after the last second with that many. */
export const STRANGERS_MS_MIN = 10_000

/** A handshake with ourselves: needs 2 ms; the machine may be busy. */
export const SELF_HANDSHAKE_MS_MAX = 5000

/** Requests sent ahead of their answers. Browsers send none; libraries that do, a handful. */
export const PIPELINED_REQUESTS_MAX = 32
/** Bytes of these, above which nothing more is read from the socket: two heads of the longest. */
export const PIPELINED_BYTES_MAX = 2 * HEAD_BYTES_MAX

/** To a backend that is up this takes under a millisecond; a lost SYN is sent again after 1 s. */
export const BACKEND_CONNECT_MS_MAX = 3000
/** Request sent to the whole head of its answer. Under SOCKET_IDLE_MS_MAX, so that a 504 still fits. */
export const BACKEND_FIRST_BYTE_MS_MAX = 30_000
/** Between two bytes of an answer. */
export const BACKEND_IDLE_MS_MAX = 60_000
/** How often the three deadlines above are looked at, so they may be exceeded by as much. */
export const BACKEND_SWEEP_MS = 250
/** An idle socket to a backend is closed before the backend does (Node and most others: 5 s). */
export const BACKEND_KEEP_ALIVE_MS = 4000
/** The same where the backend tells its own time: so much earlier, for what is on its way. */
export const BACKEND_KEEP_ALIVE_MARGIN_MS = 1000
/** A backend may promise hours; a socket nobody needed for this long is not worth its memory. */
export const BACKEND_KEEP_ALIVE_MS_MAX = 60_000
/** Sockets to one backend; what comes beyond waits for a free one. */
export const BACKEND_SOCKETS_MAX = 1024
/** Idle sockets kept to one backend: 30 KB each. The last used is the first used again. */
export const BACKEND_FREE_SOCKETS_MAX = 256
/** Requests waiting for a socket to one backend: as many again as it is already busy with. */
export const BACKEND_WAITING_MAX = 1024
/** What is read from a backend's socket at once: as much as goes into one TLS record. */
export const BACKEND_READ_BYTES = 16 * 1024
/** The head of an answer; as much as of a request. */
export const BACKEND_HEAD_BYTES_MAX = 16 * 1024
/** Interim answers (103 Early Hints) before the real one: none is passed on. */
export const BACKEND_INTERIM_MAX = 8
/** Digits of a chunk's size: 16 TB, still a number that is exact. */
export const CHUNK_SIZE_DIGITS_MAX = 11
/** Chunk extensions and trailers of one answer: nobody reads them, so nobody needs them long. */
export const CHUNK_EXTRA_BYTES_MAX = 16 * 1024
/** Failures in a row after which a backend is not asked for a while. One may be chance. */
export const BACKEND_FAILURES_MAX = 3
/** The first such pause: a restart takes about this long. */
export const BACKEND_FIRST_PAUSE_MS = 1000
/** Each pause is so many times the one before, … */
export const BACKEND_PAUSE_GROWTH = 2
/** … up to this one: each costs a visitor who has to see whether it is back. */
export const BACKEND_PAUSE_MS_MAX = 30_000
/** What a visitor is told to wait when no backend can be reached. */
export const BACKEND_RETRY_AFTER_S = 5
/** An upgraded connection (WebSocket) on which nothing moves. */
export const TUNNEL_IDLE_MS_MAX = 5 * 60_000

/** Requests at once on one connection of HTTP/2: the least that RFC 9113 §6.5.2 recommends. */
export const HTTP2_STREAMS_MAX = 100
/** What HTTP/2 itself may hold for one connection: heads, and answers that wait to be read. */
export const HTTP2_SESSION_MB_MAX = 10
/**
 * What a visitor sends beside requests (pings, settings, and requests that end in a reset, whoever
 * sent it) in `HTTP2_OVERHEAD_MS`. A browser that leaves a page resets what is under way, once.
 */
export const HTTP2_OVERHEAD_MAX = 200
/** The span in which these are counted: a keep-alive ping comes every 10 s at most. */
export const HTTP2_OVERHEAD_MS = 30_000
/** The same within one read of a socket, before any of our code is asked: 64 KB hold 2,500. */
export const HTTP2_RESETS_AT_ONCE_MAX = 5000
/**
 * Frames that HTTP/2 refuses, before the connection is closed: those that break its grammar, of which
 * clients send none, and requests beyond the bound above, as sent before that was heard of.
 */
export const HTTP2_INVALID_FRAMES_MAX = 200
/** An ended connection whose visitor does not end its side: for what is still on its way to it. */
export const HTTP2_LINGER_MS = 2000
/** An answer that waits for its visitor to make room, and holds up to 64 KB meanwhile. */
export const HTTP2_STALLED_MS_MAX = 30_000

/** RFC 8555 §8.3: a token is base64url; Let's Encrypt's has 43 characters. */
export const TOKEN_CHARACTERS_MAX = 128
/** Look-ups at once of tokens for hosts that this process has not heard of (yet). */
export const STRANGER_LOOKUPS_MAX = 8
/** Hosts remembered to have been met with the stand-in certificate; the oldest is forgotten. */
export const STAND_IN_HOSTS_MAX = 10_000
/** Hosts remembered as visited between two times that somebody asks: 5 MB of names. */
export const VISITED_HOSTS_MAX = 50_000

/**
 * A link whose backend has not answered after that is answered here. The whole may take a second:
 * longer, and people and image proxies give up.
 */
export const RESCUE_AFTER_MS = 500
/** One hit that is sent again, from connect to the last byte. Nobody waits for it but those behind it. */
export const OWED_SEND_MS_MAX = 5000
/** Of the answer to it, which nobody reads; what comes beyond is not waited for. */
export const OWED_ANSWER_BYTES_MAX = 64 * 1024
