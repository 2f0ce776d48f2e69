/**
 * A plugin of TypeDoc: what a user can import needs a sentence, and tags alone are none. A namespace is described by the first
 * comment of its file.
 */
import { Comment, Converter, ReflectionKind } from "typedoc"

const exported =
  ReflectionKind.Class |
  ReflectionKind.Function |
  ReflectionKind.Interface |
  ReflectionKind.Namespace |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable

const hasSentence = (reflection) =>
  [reflection, ...(reflection.signatures ?? [])].some(({ comment }) => (comment?.summary.length ?? 0) > 0)

/** Without the stars at the begin of its lines, and without its tags. */
const firstComment = (text) => {
  const [, comment = ""] = /^\/\*\*\n(.*?)\n \*\//s.exec(text) ?? []
  return comment
    .replace(/^ \* ?/gm, "")
    .replace(/^@.*$/gms, "")
    .trim()
}

export const load = ({ converter, logger }) => {
  converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const namespace of context.project.getReflectionsByKind(ReflectionKind.Namespace)) {
      const file = context.getSymbolFromReflection(namespace)?.declarations?.[0]?.getSourceFile()
      const text = firstComment(file?.text ?? "")
      if (text !== "") namespace.comment = new Comment([{ kind: "text", text }])
    }
  })
  converter.on(Converter.EVENT_END, ({ project }) => {
    for (const reflection of project.getReflectionsByKind(exported)) {
      const isInside = reflection.parent?.kindOf(ReflectionKind.TypeLiteral)
      if (!isInside && !hasSentence(reflection))
        logger.validationWarning(`${reflection.getFullName()} has no description`)
    }
  })
}
