/**
 * `nomba-auth/promise/file`: one session for all processes of this machine, kept in a file that only your user can read. It
 * needs Node.js, Bun or Deno.
 *
 * @since 0.1.0
 */
import * as TokenStoreFile from "../../layers/TokenStoreFile.js"
import * as NombaStore from "../NombaStore.js"
import { type Known, unknownOptions } from "../options.js"

/**
 * The options of `fileStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileStoreOptions {
  /**
   * Encrypts the sessions in the files. Default: the keys of `NOMBA_TOKEN_STORE_KEYS`; without any key the sessions are in
   * plaintext, in files that only your user can read. Each key is 32 random bytes in base64; the first one encrypts.
   */
  readonly keys?: ReadonlyArray<{ readonly id: string; readonly key: string }> | undefined
}

/**
 * Keeps the session in files below a directory (an absolute path).
 *
 * Default of the path: `NOMBA_TOKEN_STORE=file:PATH`, otherwise `nomba-auth` in the directory where your system keeps a
 * user's state.
 *
 * ```ts
 * import { createNomba } from "nomba-auth/promise"
 * import { fileStore } from "nomba-auth/promise/file"
 *
 * export const nomba = createNomba({ tokenStore: fileStore("/var/lib/shop/nomba") })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fileStore = (path?: string, options: FileStoreOptions = {}): NombaStore.NombaStore =>
  NombaStore.make({
    kind: "file",
    isFromEnvironment: path === undefined,
    problems: unknownOptions("fileStore", options, known),
    layer: TokenStoreFile.layerConfig({
      directory: path,
      codec: NombaStore.codecOf(options?.keys)
    })
  })

const known: Known<FileStoreOptions> = { keys: 0 }

export type { NombaStore } from "../NombaStore.js"
