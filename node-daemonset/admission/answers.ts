/** How many answers one pass gives. What time or a pod waits for, waits for these at most: the rest is answered in the next pass. */

/** A tenth of a second where each takes a millisecond. */
export const MOST_ANSWERS = 100;

/** The answers of one pass: each namespace that asks has the same part of them, so that none waits until another has all of its. */
export class Answers {
  readonly #each: number;
  #left: number;
  readonly #given = new Map<string, number>();
  #more = false;

  /** `asking`: the namespaces of all questions. */
  constructor(most: number, asking: ReadonlySet<string>) {
    this.#left = most;
    this.#each = Math.max(1, Math.floor(most / asking.size));
  }

  /** Whether a namespace may have another; where it may not, there is more to answer. */
  has(namespace: string): boolean {
    const has = this.#left > 0 && (this.#given.get(namespace) ?? 0) < this.#each;
    this.#more ||= !has;
    return has;
  }

  give(namespace: string): void {
    this.#left--;
    this.#given.set(namespace, (this.#given.get(namespace) ?? 0) + 1);
  }

  /** Whether a question was left for the next pass. */
  get more(): boolean {
    return this.#more;
  }
}
