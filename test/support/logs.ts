/** What a program logs, from debug on. */
import { Layer, Logger, LogLevel } from "effect"

export interface CapturedLogs {
  /** For instance `WARN the message`, in order. */
  readonly lines: Array<string>
  readonly layer: Layer.Layer<never>
}

export const captureLogs = (): CapturedLogs => {
  const lines: Array<string> = []
  const capture = Logger.make(({ logLevel, message }) => void lines.push([logLevel.label, message].flat().join(" ")))
  return {
    lines,
    layer: Layer.merge(Logger.replace(Logger.defaultLogger, capture), Logger.minimumLogLevel(LogLevel.Debug))
  }
}
