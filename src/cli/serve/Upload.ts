/** The body of a caller's request, which may have to be sent twice. */
import type { ClientRequest, IncomingMessage } from "node:http"
import * as HttpBody from "@effect/platform/HttpBody"
import * as IncomingResponse from "../../layers/http/IncomingResponse.js"

/** Bodies up to this many bytes are held until the response is here. */
export const HELD_LIMIT: number = IncomingResponse.LIMIT

/** How many bytes all requests together may hold, so that many large bodies do not fill the memory. */
export interface HeldBytes {
  left: number
}

export const TOTAL_LIMIT: number = 64 * HELD_LIMIT

/** Passes the body on while it arrives, and keeps what it has passed on as long as it can be sent again. */
export class Upload {
  readonly #request: IncomingMessage
  readonly #bytes: HeldBytes
  #held: Array<Buffer> | undefined = []
  #size = 0
  #isComplete: boolean
  #isReading = false
  #target: ClientRequest | undefined

  constructor(request: IncomingMessage, bytes: HeldBytes) {
    this.#request = request
    this.#bytes = bytes
    const { "content-length": length, "transfer-encoding": encoding } = request.headers
    this.#isComplete = encoding === undefined && (length === undefined || Number(length) === 0)
    if (Number(length ?? 0) > HELD_LIMIT) this.#held = undefined
  }

  /** Whether the whole body can be sent again. */
  get isReplayable(): boolean {
    return this.#held !== undefined
  }

  /** Whether everything was received. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Whether there is nothing to send. */
  get isEmpty(): boolean {
    return this.#isComplete && this.#size === 0
  }

  /** What is held of it. */
  get body(): HttpBody.HttpBody {
    return HttpBody.uint8Array(Buffer.concat(this.#held ?? []))
  }

  /** Sends the body from its beginning, and the rest as it arrives. A former target gets nothing more. */
  sendTo(target: ClientRequest): void {
    this.#target = target
    for (const chunk of this.#held ?? []) target.write(chunk)
    if (this.#isComplete) {
      target.end()
      return
    }
    if (!this.#isReading) this.#read()
    this.#request.resume()
  }

  /** Sends nothing more and frees what is held. */
  stop(): void {
    this.#target = undefined
    this.#drop()
    this.#request.pause()
  }

  /** Frees what is held: the response is here and asks for no replay. */
  release(): void {
    this.#drop()
  }

  #read(): void {
    this.#isReading = true
    this.#request.on("data", (chunk: Buffer) => {
      this.#keep(chunk)
      const target = this.#target
      if (target === undefined || target.destroyed || target.write(chunk)) return
      this.#request.pause()
      target.once("drain", () => {
        if (this.#target === target) this.#request.resume()
      })
    })
    this.#request.on("end", () => {
      this.#isComplete = true
      if (this.#target?.destroyed === false) this.#target.end()
    })
  }

  #keep(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#held === undefined) return
    this.#held.push(chunk)
    this.#bytes.left -= chunk.length
    if (this.#size > HELD_LIMIT || this.#bytes.left < 0) this.#drop()
  }

  #drop(): void {
    for (const chunk of this.#held ?? []) this.#bytes.left += chunk.length
    this.#held = undefined
  }
}
