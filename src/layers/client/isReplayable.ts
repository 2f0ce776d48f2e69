/**
 * Whether a request can be sent a second time.
 *
 * @since 0.1.0
 */
import type * as HttpBody from "@effect/platform/HttpBody"

/**
 * A body that is held whole can be sent again. A stream, in whichever disguise, is gone once it was sent.
 *
 * @since 0.1.0
 */
export const isReplayable = (body: HttpBody.HttpBody): boolean => {
  switch (body._tag) {
    case "Empty":
    case "Uint8Array":
    case "FormData":
      return true
    case "Raw":
      return isHeldWhole(body.body)
    case "Stream":
      return false
  }
}

const isHeldWhole = (body: unknown): boolean =>
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData
