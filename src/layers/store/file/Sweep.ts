/**
 * Removing what nobody comes back for, whoever's it was: tokens do not stay on a disk for ever.
 *
 * @since 0.1.0
 */
import * as Path from "node:path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Place from "../Place.js"
import { KEEP } from "../StoreDriver.js"
import type { FileFailure, Files } from "./Files.js"
import * as Record from "./Record.js"
import * as Register from "./Register.js"
import * as Root from "./Root.js"

/**
 * Goes through the folders of all keys: what has been over, or set aside, for as long as a store keeps things is removed.
 * An entry whose right is held is left alone; what cannot be removed is left for the next time.
 *
 * A folder stays, with a text that says nothing: its number is what a process that comes late is refused by.
 *
 * @since 0.1.0
 */
export const sweep = (files: Files, root: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Root.check(files, root)
    const now = yield* Clock.currentTimeMillis
    const names = yield* files.list(root)
    const folders = names.filter((name) => /^[\da-f]{64}$/.test(name))
    yield* Effect.forEach(folders, (name) => Effect.ignore(sweepFolder(files, Path.join(root, name), now)), {
      discard: true
    })
  }).pipe(Effect.ignore)

const sweepFolder = (files: Files, folder: string, now: number): Effect.Effect<void, FileFailure> =>
  Effect.gen(function* () {
    const before = now - Duration.toMillis(KEEP)
    const register = Register.make(files, folder)
    yield* register.clean(before)
    const { number, text } = yield* register.load
    const record = Option.flatMap(text, (_) => Either.getRight(Record.readAny(_)))
    if (Option.isNone(record)) return
    const { key, place } = record.value
    if (Root.nameOf(key) !== Path.basename(folder) || !Place.isFree(place, now)) return
    if (place.content === undefined) return yield* register.forget(number)
    if (place.content.until > before) return
    if (yield* register.replace(number, Record.write(key, Place.empty))) yield* register.forget(number + 1)
  })
