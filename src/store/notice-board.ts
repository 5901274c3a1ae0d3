import type { Notice } from './store.ts'

/** Hands notices to the readers in this process. */
export interface NoticeBoard extends Disposable {
  post(notice: Notice): void
  /** What is posted from the call on; ends when the signal aborts or the board is disposed. */
  read(signal: AbortSignal): AsyncIterable<Notice>
}

/** A reader that is further behind does better to read everything again than to catch up. */
const NOTICES_WAITING_MAX = 1000

export function createNoticeBoard(): NoticeBoard {
  const readers = new Set<Reader>()
  return {
    post: (notice) => {
      for (const reader of readers) reader.put(notice)
    },
    read: (signal) => {
      const reader = new Reader()
      readers.add(reader)
      const leave = (): void => {
        readers.delete(reader)
        reader.end()
      }
      if (signal.aborted) leave()
      signal.addEventListener('abort', leave, { once: true })
      return reader.notices(() => {
        signal.removeEventListener('abort', leave)
        readers.delete(reader)
      })
    },
    [Symbol.dispose]: () => {
      for (const reader of readers) reader.end()
      readers.clear()
    },
  }
}

class Reader {
  #waiting: Notice[] = []
  #ended = false
  #changed = Promise.withResolvers<void>()

  put(notice: Notice): void {
    if (this.#waiting.length < NOTICES_WAITING_MAX) this.#waiting.push(notice)
    else this.#waiting = [{ kind: 'resync' }]
    this.#changed.resolve()
  }

  end(): void {
    this.#ended = true
    this.#changed.resolve()
  }

  async *notices(onLeave: () => void): AsyncGenerator<Notice, void> {
    try {
      while (!this.#ended) {
        const notice = this.#waiting.shift()
        if (notice) {
          yield notice
          continue
        }
        await this.#changed.promise
        this.#changed = Promise.withResolvers()
      }
    } finally {
      onLeave()
    }
  }
}
