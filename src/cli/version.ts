declare const NOMBA_AUTH_VERSION: string

/** Of this package, put in when it is bundled. */
export const version: string = NOMBA_AUTH_VERSION
