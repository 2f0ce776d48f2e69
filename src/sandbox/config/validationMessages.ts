/** Messages about invalid input: which member, and what it must be. A message never contains the value. */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** Annotates a schema with what its values must be, whatever part of one is wrong. */
export const mustBe = (what: string): Pick<Schema.Annotations.Schema<unknown>, "message"> => ({
  message: () => ({ message: `must be ${what}`, override: true })
})

const annotated = (issue: ParseResult.ParseIssue): Option.Option<string> =>
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

const memberPath = (path: string, key: ParseResult.Path, root: string): string => {
  const inner = [key].flat().map(String).join(".").slice(0, 64)
  return path === root ? inner : `${path}.${inner}`
}

/** A union also reports that an optional member is not `undefined`. That is noise. */
const isAbsence = (issue: ParseResult.ParseIssue): boolean => issue._tag === "Type" && AST.isUndefinedKeyword(issue.ast)

/** One sentence for each problem. `root` names the whole value. */
export const validationMessages = (
  issue: ParseResult.ParseIssue,
  root = "body",
  path = root
): ReadonlyArray<string> => {
  const message = annotated(issue)
  if (Option.isSome(message)) return [`${path}: ${message.value}`]
  switch (issue._tag) {
    case "Pointer":
      return validationMessages(issue.issue, root, memberPath(path, issue.path, root))
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
