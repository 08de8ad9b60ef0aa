/** Sums over time that only grow, right after right: what was added is not looked through again for each right that follows. */
import type { Books, Period } from './ledger.ts';

/** What a right takes: of each kind, and ports by their number. */
export type Amount = Partial<Record<keyof Books | 'ports', number>>;

export class GrowingSums {
  /** Instants at which some right starts or ends; the first is now. */
  readonly #edges: Float64Array;
  /** Of each kind, what is taken from each edge to the next. */
  readonly #sums = new Map<string, Float64Array>();

  /** `periods`: all that will be asked about. What is past counts no more. */
  constructor(periods: readonly Period[], now: number) {
    const edges = new Set([now]);
    for (const { start, end } of periods) {
      for (const edge of [start, end]) if (edge !== undefined && edge > now) edges.add(edge);
    }
    this.#edges = Float64Array.from(edges).sort();
  }

  /** The most that is taken of a kind at any instant of the period. */
  peak({ start, end }: Period, kind: keyof Amount): number {
    const sums = this.#sums.get(kind);
    let most = 0;
    if (sums) for (let i = this.#at(start), to = this.#until(end); i < to; i++) most = Math.max(most, sums[i]!);
    return most;
  }

  add({ start, end }: Period, amount: Amount): void {
    const [from, to] = [this.#at(start), this.#until(end)];
    for (const [kind, much] of Object.entries(amount)) {
      if (much === 0) continue;
      const sums = this.#sums.get(kind) ?? new Float64Array(this.#edges.length);
      this.#sums.set(kind, sums);
      for (let i = from; i < to; i++) sums[i]! += much;
    }
  }

  #until(end: number | undefined): number {
    return end === undefined ? this.#edges.length : this.#at(end);
  }

  /** The index of an edge; 0 for what is past or without a beginning. */
  #at(edge = -Infinity): number {
    let [low, high] = [0, this.#edges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#edges[middle]! < edge) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
