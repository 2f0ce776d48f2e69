/** The texts that were added last. */
export class RecentTexts {
  readonly #texts = new Set<string>()
  readonly #most: number
  constructor(most: number) {
    this.#most = most
  }
  has(text: string): boolean {
    return this.#texts.has(text)
  }
  isEmpty(): boolean {
    return this.#texts.size === 0
  }
  add(text: string): void {
    this.#texts.delete(text)
    this.#texts.add(text)
    for (const oldest of this.#texts) {
      if (this.#texts.size <= this.#most) break
      this.#texts.delete(oldest)
    }
  }
  delete(text: string): boolean {
    return this.#texts.delete(text)
  }
}
