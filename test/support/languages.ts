/** The languages of the examples of the proxy, and which of them this machine has. */
import { spawnSync } from "node:child_process"

export interface Language {
  readonly name: string
  readonly file: string
  /** Runs a file; `version` shows that the program is there. */
  readonly run: (file: string) => ReadonlyArray<string>
  readonly version: ReadonlyArray<string>
}

export const LANGUAGES: ReadonlyArray<Language> = [
  { name: "PHP", file: "balance.php", run: (file) => ["php", file], version: ["php", "--version"] },
  { name: "Python", file: "balance.py", run: (file) => ["python3", file], version: ["python3", "--version"] },
  { name: "Go", file: "balance.go", run: (file) => ["go", "run", file], version: ["go", "version"] },
  { name: "curl", file: "balance.sh", run: (file) => ["sh", file], version: ["curl", "--version"] }
]

export const languageIsThere = ({ version: [command = "", ...args] }: Language): boolean =>
  spawnSync(command, args).status === 0

/** The names of those that are missing. */
export const missingLanguages = (): ReadonlyArray<string> =>
  LANGUAGES.filter((language) => !languageIsThere(language)).map(({ name }) => name)
