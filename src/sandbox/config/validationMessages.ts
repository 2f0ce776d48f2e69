/** What is wrong with something that was given, in words: members and what they must be, never what they are. */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** Says of a schema what a value of it must be, whatever part of it turned out not to be so. */
export const mustBe = (what: string): Pick<Schema.Annotations.Schema<unknown>, "message"> => ({
  message: () => ({ message: `must be ${what}`, override: true })
})

const said = (issue: ParseResult.ParseIssue): Option.Option<string> =>
  "ast" in issue && "annotations" in issue.ast
    ? AST.getMessageAnnotation(issue.ast).pipe(
        Option.map((message): unknown => message(issue)),
        Option.filter(Predicate.hasProperty("message")),
        Option.map(({ message }) => String(message))
      )
    : Option.none()

const expected = (ast: AST.AST): string => {
  if (AST.isUnion(ast)) return ast.types.map(expected).join(" or ")
  if (AST.isLiteral(ast)) return JSON.stringify(ast.literal)
  if (AST.isStringKeyword(ast)) return "a string"
  return AST.isNumberKeyword(ast) ? "a number" : "an object"
}

const within = (path: string, key: ParseResult.Path, root: string): string => {
  const inner = [key].flat().map(String).join(".").slice(0, 64)
  return path === root ? inner : `${path}.${inner}`
}

/** That a member that may be absent is not. */
const isAbsence = (issue: ParseResult.ParseIssue): boolean => issue._tag === "Type" && AST.isUndefinedKeyword(issue.ast)

/** One sentence for each thing that is wrong, the whole being called by a name of its own. */
export const validationMessages = (
  issue: ParseResult.ParseIssue,
  root = "body",
  path = root
): ReadonlyArray<string> => {
  const words = said(issue)
  if (Option.isSome(words)) return [`${path}: ${words.value}`]
  switch (issue._tag) {
    case "Pointer":
      return validationMessages(issue.issue, root, within(path, issue.path, root))
    case "Composite":
      return [issue.issues as ParseResult.ParseIssue | ReadonlyArray<ParseResult.ParseIssue>]
        .flat()
        .filter((inner) => !isAbsence(inner))
        .flatMap((inner) => validationMessages(inner, root, path))
    case "Refinement":
    case "Transformation":
      return validationMessages(issue.issue, root, path)
    case "Missing":
      return [`${path}: is missing`]
    case "Unexpected":
      return [`${path}: is not known`]
    case "Type":
      return [`${path}: ${issue.message ?? `must be ${expected(issue.ast)}`}`]
    default:
      return [`${path}: is not allowed`]
  }
}
