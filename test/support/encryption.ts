/** Keys that sessions are encrypted with. */
import { randomBytes } from "node:crypto"
import { Redacted } from "effect"
import type { EncryptionKey } from "../../src/layers/SessionCodec.js"

export const newKey = (): string => randomBytes(32).toString("base64")

export const keyOf = (id: string, key: string = newKey()): EncryptionKey => ({ id, key: Redacted.make(key) })
