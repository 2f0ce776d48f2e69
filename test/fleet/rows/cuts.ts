import type { Row } from "../Row.js"
import type { RealSetting } from "../realStage.js"
export const cuts: ReadonlyArray<Row<RealSetting>> = []
