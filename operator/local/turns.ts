/** How much of the operator one node may take up: so many requests at once, and so many a second; the others wait. */

const BURST = 32;
const PER_SECOND = 20;
/** Nodes that are remembered; whoever has all of his turns need not be. */
const MOST = 1000;

/** A token bucket for each node. */
export class Turns {
  readonly #now: () => number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes a turn; else how many ms it is until there is one. */
  take(node: string): number {
    const left = this.#left(node);
    if (left < 1) return Math.ceil(((1 - left) * 1000) / PER_SECOND);
    this.#buckets.set(node, { left: left - 1, at: this.#now() });
    if (this.#buckets.size > MOST) this.#forget();
    return 0;
  }

  #left(node: string): number {
    const bucket = this.#buckets.get(node);
    return bucket ? Math.min(BURST, bucket.left + ((this.#now() - bucket.at) * PER_SECOND) / 1000) : BURST;
  }

  #forget(): void {
    for (const node of this.#buckets.keys()) if (this.#left(node) >= BURST) this.#buckets.delete(node);
  }
}
