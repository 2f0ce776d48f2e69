/** The help of one command, on a page: `@effect/cli` takes six lines for each option. */
import { stripVTControlCharacters } from "node:util"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import type { AnyCommand } from "./CommandLine.js"

const WIDTH = 100
const COLUMN = 28

const blocksOf = (doc: HelpDoc.HelpDoc): ReadonlyArray<HelpDoc.HelpDoc> =>
  doc._tag === "Sequence" ? [...blocksOf(doc.left), ...blocksOf(doc.right)] : doc._tag === "Empty" ? [] : [doc]

const textOf = (span: Span.Span): string => stripVTControlCharacters(HelpDoc.toAnsiText(HelpDoc.p(span))).trim()

/** The paragraphs of an option are its type, its description, and what follows from how it is declared. */
const descriptionOf = (doc: HelpDoc.HelpDoc): string => {
  const [, description] = blocksOf(doc)
  return description?._tag === "Paragraph" ? textOf(description.value) : ""
}

/** Lines of a text between the margin and the width. */
const wrap = (text: string, margin = 0): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last === undefined || margin + last.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** `(-X, --request METHOD)...` without what its description says. */
const nameOf = (span: Span.Span): string =>
  textOf(span)
    .replace(/\.{3}$/, "")
    .replace(/^\((.*)\)$/, "$1")

const rowOf = (name: string, description: string): string => {
  const lines = wrap(description, COLUMN).map((line) => `${" ".repeat(COLUMN)}${line}`)
  const label = `  ${name}`
  return label.length < COLUMN - 1
    ? [label.padEnd(COLUMN) + (lines[0]?.slice(COLUMN) ?? ""), ...lines.slice(1)].join("\n")
    : [label, ...lines].join("\n")
}

const headings: Readonly<Record<string, string>> = {
  EXAMPLES: "Examples:",
  ARGUMENTS: "Arguments:",
  OPTIONS: "Options:"
}

/** What the commands that run a program take after their options. */
const programs: Readonly<Record<string, string>> = {
  exec: " -- PROGRAM [ARGUMENTS]",
  sandbox: " [-- PROGRAM [ARGUMENTS]]"
}

export const helpOf = (name: string, command: AnyCommand, isColoured: boolean): string => {
  const blocks = blocksOf(Command.getHelp(command, CliConfig.make({ showBuiltIns: false })))
  const args = blocks.flatMap((block, at) => {
    const before = blocks[at - 1]
    return block._tag === "DescriptionList" && before?._tag === "Header" && textOf(before.value) === "ARGUMENTS"
      ? block.definitions.map(([span]) => ` ${textOf(span).split(" ")[0]}`)
      : []
  })
  const heading = (text: string): string => (isColoured ? `\u001b[1m${text}\u001b[0m` : text)
  const linesOf = (block: HelpDoc.HelpDoc): ReadonlyArray<string> => {
    if (block._tag === "Header") {
      const known = headings[textOf(block.value)]
      return known === undefined ? [] : ["", heading(known)]
    }
    if (block._tag === "DescriptionList") {
      return block.definitions.map(([span, doc]) => rowOf(nameOf(span), descriptionOf(doc)))
    }
    if (block._tag !== "Paragraph") return []
    const text = textOf(block.value)
    return text.startsWith("$ ") ? [`  ${text.slice(2)}`] : wrap(text)
  }
  const usage = `nomba-auth ${name} [OPTIONS]${args.join("")}${programs[name] ?? ""}`
  return [`${heading("Usage:")} ${usage}`, "", ...blocks.flatMap(linesOf)].join("\n")
}
