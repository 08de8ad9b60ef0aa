/** The sums of what is granted, at every instant, kept sorted: one pass asks it many questions. */
import { type Books, type Grant, NO_BOOKS, type Period, taken } from './ledger.ts';

/** When something starts or ends, and what is granted more from then on; ends have negative amounts. */
interface Edge extends Readonly<Books> {
  at: number;
  /** No node gives them by number, but a namespace's budget has so many. */
  ports: number;
}

/** A time in which there is too little: from `start` up to but without `end`, and the most that is granted in it. */
export interface Tight extends Period {
  most: number;
}

export class Timeline {
  /** By time; what has no start is at -Infinity, and what has no end has no second edge. */
  readonly #edges: Edge[];

  constructor(grants: readonly Grant[] = []) {
    this.#edges = grants.flatMap(edgesOf).sort((a, b) => a.at - b.at);
  }

  add(grant: Grant): void {
    for (const edge of edgesOf(grant)) this.#edges.splice(this.#after(edge.at), 0, edge);
  }

  /** One that was added, or one of the same amounts and times. */
  remove(grant: Grant): void {
    for (const edge of edgesOf(grant)) {
      let index = this.#after(edge.at) - 1;
      while (index >= 0 && !isSame(this.#edges[index]!, edge)) index--;
      if (index < 0) throw new Error('what is to be taken off the books is not in them');
      this.#edges.splice(index, 1);
    }
  }

  /** What is asked while these are there, too. */
  with<T>(grants: readonly Grant[], ask: () => T): T {
    for (const grant of grants) this.add(grant);
    try {
      return ask();
    } finally {
      for (const grant of grants) this.remove(grant);
    }
  }

  /** The most that is granted of each kind at any instant of a period. */
  peak({ start = -Infinity, end = Infinity }: Period): Books {
    // numbers by themselves: this is asked of ten thousands of edges for every decision
    let [shares, egress, memory, disk, pods] = [0, 0, 0, 0, 0];
    const most = { ...NO_BOOKS };
    for (let i = 0; i <= this.#edges.length; i++) {
      const edge = this.#edges[i];
      const at = edge?.at ?? Infinity;
      const isNext = i === 0 || at !== this.#edges[i - 1]!.at;
      // what is summed up by now holds up to this edge
      if (isNext && at > start) {
        if (shares > most.shares) most.shares = shares;
        if (egress > most.egress) most.egress = egress;
        if (memory > most.memory) most.memory = memory;
        if (disk > most.disk) most.disk = disk;
        if (pods > most.pods) most.pods = pods;
      }
      if (!edge || at >= end) break;
      shares += edge.shares;
      egress += edge.egress;
      memory += edge.memory;
      disk += edge.disk;
      pods += edge.pods;
    }
    return most;
  }

  /** The first time within a period in which so much more does not fit; undefined where it always does. */
  firstTight(
    { start = -Infinity, end = Infinity }: Period,
    kind: keyof Books | 'ports',
    wanted: number,
    limit: number,
  ) {
    let sum = 0;
    let index = 0;
    for (; index < this.#edges.length && this.#edges[index]!.at <= start; index++) sum += this.#edges[index]![kind];
    // What exceeds all there is fits at no time; what is left now is what a person can ask for.
    if (wanted > limit) return tight(start, Infinity, sum);
    let found: { from: number; most: number } | undefined;
    for (let at = start; ;) {
      if (sum + wanted > limit) found = { from: found?.from ?? at, most: Math.max(found?.most ?? sum, sum) };
      else if (found) return tight(found.from, at, found.most);
      at = this.#edges[index]?.at ?? Infinity;
      if (at >= end) break;
      for (; this.#edges[index]?.at === at; index++) sum += this.#edges[index]![kind];
    }
    return found && tight(found.from, end, found.most);
  }

  /** Where an edge of this time would be put: behind all that are not later. */
  #after(at: number): number {
    let [low, high] = [0, this.#edges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#edges[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function edgesOf(grant: Grant): Edge[] {
  const { start = -Infinity, end } = grant.period;
  const { shares, egress, memory, disk, pods } = taken(grant);
  const ports = grant.parent === undefined ? grant.amounts.ports.length : 0;
  const first = { at: start, shares, egress, memory, disk, pods, ports };
  if (end === undefined) return [first];
  return [
    first,
    { at: end, shares: -shares, egress: -egress, memory: -memory, disk: -disk, pods: -pods, ports: -ports },
  ];
}

function isSame(a: Edge, b: Edge): boolean {
  return (
    a.at === b.at &&
    a.shares === b.shares &&
    a.egress === b.egress &&
    a.memory === b.memory &&
    a.disk === b.disk &&
    a.pods === b.pods &&
    a.ports === b.ports
  );
}

function tight(start: number, end: number, most: number): Tight {
  const finite = (instant: number): number | undefined => (Number.isFinite(instant) ? instant : undefined);
  return { start: finite(start), end: finite(end), most };
}
