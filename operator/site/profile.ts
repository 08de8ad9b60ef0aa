/** How many shares are held at each instant: a sum of pieces of time. */
import type { Window } from '../../crds/types.ts';

/** So many shares on one node from `start` on and before `end`, in ms since the epoch; open ends are infinite. */
export interface Piece {
  start: number;
  end: number;
  shares: number;
}

export function pieceOf(shares: number, window: Window | undefined): Piece {
  const { start, end } = window ?? {};
  return { shares, start: start ? Date.parse(start) : -Infinity, end: end ? Date.parse(end) : Infinity };
}

/** The same sum in as few pieces as there are windows: a slice's slivers have one in common. */
export function merged(pieces: readonly Piece[]): Piece[] {
  const byWindow = new Map<string, Piece>();
  for (const piece of pieces) {
    const key = `${piece.start} ${piece.end}`;
    const same = byWindow.get(key);
    if (same) same.shares += piece.shares;
    else byWindow.set(key, { ...piece });
  }
  return [...byWindow.values()];
}

/**
 * What `asks` takes beyond what the right has already, of which the largest counts at each instant: a right that is being
 * renewed has the old grant or the new one, and never both.
 */
export function beyond(has: readonly Piece[], asks: Piece): Piece[] {
  const edges = [asks.start, asks.end, ...has.flatMap(({ start, end }) => [start, end])]
    .filter((edge) => edge >= asks.start && edge <= asks.end)
    .toSorted((a, b) => a - b);
  return edges.slice(1).flatMap((end, i): Piece[] => {
    const start = edges[i]!;
    const held = Math.max(0, ...has.filter((one) => one.start <= start && one.end >= end).map(({ shares }) => shares));
    return start < end && asks.shares > held ? [{ start, end, shares: asks.shares - held }] : [];
  });
}

export class Profile {
  /** Sorted; the sum from each edge on, until the next. Before the first edge it is 0. */
  readonly #edges: number[] = [];
  readonly #sums: number[] = [];

  constructor(pieces: readonly Piece[] = []) {
    for (const piece of pieces) this.add(piece);
  }

  add({ start, end, shares }: Piece): void {
    if (start >= end) return;
    const first = this.#split(start);
    const behind = this.#split(end);
    for (let i = first; i < behind; i++) this.#sums[i]! += shares;
  }

  /** The largest sum at any instant of the time. */
  most(start: number, end: number): number {
    let most = 0;
    if (start >= end) return most;
    for (const [i, edge] of this.#edges.entries()) {
      if (edge >= end) break;
      if ((this.#edges[i + 1] ?? Infinity) > start) most = Math.max(most, this.#sums[i]!);
    }
    return most;
  }

  /** The index of that edge, which is made where it is not there. */
  #split(edge: number): number {
    let low = 0;
    let high = this.#edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#edges[middle]! < edge) low = middle + 1;
      else high = middle;
    }
    if (this.#edges[low] !== edge) {
      this.#edges.splice(low, 0, edge);
      this.#sums.splice(low, 0, this.#sums[low - 1] ?? 0);
    }
    return low;
  }
}
