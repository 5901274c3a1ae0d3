import type { Socket } from 'node:net'
import {
  HEAD_BYTES_MAX,
  HEAD_MS_MAX,
  HEAD_PIECES_MAX,
  KEEP_ALIVE_MS,
  PIPELINED_BYTES_MAX,
  PIPELINED_REQUESTS_MAX,
  REQUESTS_PER_CONNECTION_MAX,
  SOCKET_IDLE_MS_MAX,
} from '../limits.ts'
import type { Connection } from '../request/connection.ts'
import { type Page, writeLastPage } from '../request/pages.ts'
import type { Asked } from '../request/passage.ts'
import { createGateAnswer, type GateAnswer, type HowDone, type Wire } from './gate-answer.ts'
import type { HeadReader, PlainHead } from './head-reader.ts'

//        ┌──────────────── kept ◄───────────────┐
//        ▼                                      │
//  waiting for a head ──► answering one ──► done┤
//        │        (not while answers pile up)   └─ last, broken ──► closed
//        └─► handed over, bytes and all

/** What a connection needs of the gate that admitted it. */
export interface GateRoom {
  readonly heads: HeadReader
  readonly isWindingDown: boolean
  httpDate(): string
  nowMs(): number
  serve(asked: Asked, answer: GateAnswer): void
  /** Calls `serveNext` at the end of this turn of the event loop. */
  serveSoon(connection: GateConnection): void
  /** Calls `writeWhole` at the end of this turn, or of the next if this one is ending. */
  writeSoon(answer: Pick<GateAnswer, 'writeWhole'>): void
  answered(status: number, connection: Connection): void
  /** Takes over what the gate does not read; its unread bytes are back in the socket. */
  handOver(socket: Socket, connection: Connection): void
  /** Bytes that are no request, and will not become one. */
  refused(): void
}

const LATE: Page = { status: 408, sentence: 'The request did not arrive in time.' }
const CUT_SHORT: Page = { status: 400, sentence: 'The request ends before its end.' }
const NOTHING = Buffer.alloc(0)

/** Reads the requests of one connection, one after the other, each once the last is answered. */
export class GateConnection implements Wire {
  readonly socket: Socket
  readonly #connection: Connection
  readonly #room: GateRoom
  /** Received and not yet taken; once as bytes, and once as text of one character a byte. */
  #bytes: Buffer = NOTHING
  #text = ''
  /** How many of these have been read as requests. */
  #taken = 0
  /** In how many pieces the head that is being waited for has come so far. */
  #pieces = 0
  #requests = 0
  /** To what was asked and is not over. */
  #answer: GateAnswer | undefined
  /** What was asked, until it is served at the end of the turn with what others asked in it. */
  #next: { readonly head: PlainHead; readonly sinceMs: number } | undefined
  #keepsAlive = true
  #isReading = false
  #isPaused = false
  /** Answers pile up: the next request waits until the visitor has read on. */
  #isFull = false
  #isOver = false
  #dueMs: number
  #movedBytes = 0
  #gone: () => void = () => undefined

  constructor(socket: Socket, connection: Connection, room: GateRoom) {
    this.socket = socket
    this.#connection = connection
    this.#room = room
    this.#dueMs = room.nowMs() + HEAD_MS_MAX
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** Called when it is closed, or somebody else's. */
  whenGone(gone: () => void): void {
    this.#gone = gone
  }

  /**
   * Ends it if nothing is under way. One on which nothing was asked yet is left to its deadline: a
   * visitor who has just shaken hands is about to ask, and would see a broken link.
   */
  endIfIdle(): void {
    if (!this.#answer && this.#text === '' && this.#requests > 0) this.#close()
  }

  /**
   * Ends what has taken too long. To be called now and then: no timer runs for a request. Where
   * nothing was begun there is nothing to say: browsers open connections in advance, and would take
   * a 408 for the answer to what they ask next.
   */
  endIfLate(nowMs: number): void {
    const isBusy = this.#answer !== undefined || this.#isFull || this.#isOver
    if (isBusy && this.#hasMoved()) this.#dueMs = nowMs + SOCKET_IDLE_MS_MAX
    if (nowMs < this.#dueMs) return
    if (isBusy) this.socket.destroy()
    else if (this.#text === '') this.#close()
    else this.#refuse(LATE)
  }

  isEnding(): boolean {
    return (
      !this.#keepsAlive || this.#room.isWindingDown || this.#requests >= REQUESTS_PER_CONNECTION_MAX
    )
  }

  /** Has answered what was read last, unless that is under way, or the visitor is gone. */
  serveNext(): void {
    const next = this.#next
    const answer = this.#answer
    this.#next = undefined
    if (!next || !answer) return
    // Ended in this turn: that it is closed is only said after it.
    if (this.socket.destroyed) {
      answer.leave()
      return
    }
    const { method, hostname, target, lines, userAgent } = next.head
    const connection = this.#connection
    const { sinceMs } = next
    this.#room.serve({ method, hostname, target, lines, userAgent, connection, sinceMs }, answer)
  }

  date(): string {
    return this.#room.httpDate()
  }

  writeSoon(answer: Pick<GateAnswer, 'writeWhole'>): void {
    this.#room.writeSoon(answer)
  }

  done({ status, end }: HowDone): void {
    this.#answer = undefined
    if (end === 'broken') {
      this.#isOver = true
      this.socket.destroy()
      return
    }
    this.#room.answered(status, this.#connection)
    if (end === 'last') {
      this.#close()
      return
    }
    this.#dueMs = this.#room.nowMs() + (this.#text === '' ? KEEP_ALIVE_MS : HEAD_MS_MAX)
    this.#readOn()
  }

  readonly #onData = (piece: Buffer): void => {
    if (this.#isOver) return
    if (this.#text === '') {
      if (!this.#answer && this.#requests > 0) this.#dueMs = this.#room.nowMs() + HEAD_MS_MAX
      this.#bytes = piece
      this.#text = piece.toString('latin1')
    } else {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#taken), piece])
      this.#text = this.#text.slice(this.#taken) + piece.toString('latin1')
      this.#taken = 0
    }
    this.#pieces += 1
    this.#readOn()
  }

  /**
   * Half-closed is taken for gone: nobody can tell the two apart, and browsers only do the latter.
   * What was asked before is answered all the same, one after the other, until one has to be waited for.
   */
  readonly #onEnd = (): void => {
    if (this.#isOver) return
    const answer = this.#answer
    if (!answer) {
      this.#part()
      return
    }
    this.serveNext()
    setImmediate(() => {
      answer.writeWhole()
      if (this.#answer !== answer) this.#onEnd()
      else if (!this.#isOver) {
        this.#close()
        answer.leave()
      }
    })
  }

  #part(): void {
    const isCutShort =
      this.#text !== '' && this.#room.heads.read(this.#text, this.#taken).kind === 'incomplete'
    if (isCutShort) this.#refuse(CUT_SHORT)
    else this.#close()
  }

  readonly #onError = (): void => {
    this.socket.destroy()
  }

  readonly #onClose = (): void => {
    this.#isOver = true
    this.#next = undefined
    this.#gone()
    this.#answer?.leave()
  }

  /** A loop, because many requests may have come at once and be answered at once. */
  #readOn(): void {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#mayRead()) {
      if (!this.#readHead()) break
    }
    this.#isReading = false
    if (this.#isOver) return
    if (this.#answer) this.#holdBack()
    else if (this.#text !== '' && this.socket.writableNeedDrain) this.#waitForReading()
    else if (this.#isPaused) this.#flow()
  }

  #mayRead(): boolean {
    const isFree = !this.#answer && !this.#isOver && this.#text !== ''
    return isFree && !this.socket.writableNeedDrain
  }

  /** Who asks and asks and reads no answer would have us hold them all. */
  #waitForReading(): void {
    if (this.#isFull) return
    this.#isFull = true
    this.#isPaused = true
    this.socket.pause()
    this.socket.once('drain', () => {
      this.#isFull = false
      if (this.#isOver) return
      this.#dueMs = this.#room.nowMs() + HEAD_MS_MAX
      this.#readOn()
    })
  }

  /** False: nothing can be read before more has come, or it is somebody else's to read. */
  #readHead(): boolean {
    const head = this.#room.heads.read(this.#text, this.#taken)
    if (head.kind === 'plain') {
      this.#take(head)
      return true
    }
    const isLong = this.#text.length - this.#taken > HEAD_BYTES_MAX
    const mayCome = head.kind === 'incomplete' && !isLong && this.#pieces <= HEAD_PIECES_MAX
    if (mayCome) return false
    // After the end nobody can read on; and who says no more is taken for gone.
    if (this.socket.readableEnded) this.#close()
    else this.#handOver()
    return false
  }

  #take(head: PlainHead): void {
    this.#taken += head.bytes
    if (this.#taken === this.#text.length) this.#forget()
    this.#pieces = 0
    this.#requests += 1
    this.#keepsAlive = head.keepsAlive
    this.#next = { head, sinceMs: this.#room.nowMs() }
    this.#answer = createGateAnswer(this, head.method)
    // From now on its seat is not given to others.
    this.#connection.arrival.seat?.serves(this.#answer)
    this.#room.serveSoon(this)
  }

  #forget(): void {
    this.#bytes = NOTHING
    this.#text = ''
    this.#taken = 0
  }

  /** Requests sent ahead of an answer wait, and are bounded in number and size. */
  #holdBack(): void {
    if (this.#text === '') return
    if (headsIn(this.#text, this.#taken) >= PIPELINED_REQUESTS_MAX) {
      this.#next = undefined
      this.socket.destroy()
    } else if (this.#text.length - this.#taken > PIPELINED_BYTES_MAX) {
      this.#isPaused = true
      this.socket.pause()
    }
  }

  #flow(): void {
    this.#isPaused = false
    this.socket.resume()
  }

  #handOver(): void {
    this.#isOver = true
    const { socket } = this
    const rest = this.#bytes.subarray(this.#taken)
    this.#forget()
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    this.#gone()
    socket.pause()
    socket.unshift(rest)
    this.#room.handOver(socket, this.#connection)
    socket.resume()
  }

  #refuse(page: Page): void {
    this.#leave()
    this.#room.refused()
    writeLastPage(this.socket, page)
  }

  #close(): void {
    this.#leave()
    this.socket.destroySoon()
  }

  /** Nothing more is read; what was written may take its time to arrive. */
  #leave(): void {
    this.#isOver = true
    this.#forget()
    this.#dueMs = this.#room.nowMs() + SOCKET_IDLE_MS_MAX
  }

  #hasMoved(): boolean {
    const { bytesRead, bytesWritten, writableLength } = this.socket
    const movedBytes = bytesRead + bytesWritten - writableLength
    const hasMoved = movedBytes !== this.#movedBytes
    this.#movedBytes = movedBytes
    return hasMoved
  }
}

function headsIn(text: string, from: number): number {
  let count = 0
  let at = text.indexOf(END_OF_HEAD, from)
  while (at >= 0) {
    count += 1
    at = text.indexOf(END_OF_HEAD, at + END_OF_HEAD.length)
  }
  return count
}

const END_OF_HEAD = '\r\n\r\n'
