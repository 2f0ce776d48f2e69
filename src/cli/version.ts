declare const NOMBA_AUTH_VERSION: string

/** The version of this package. The bundler fills it in. */
export const version: string = NOMBA_AUTH_VERSION
