/**
 * `nomba-auth/file`: sessions in files, shared by the processes of one host.
 *
 * @since 0.1.0
 */
export * as TokenStoreFile from "../layers/TokenStoreFile.js"
