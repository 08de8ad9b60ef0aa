/** The sums of what is granted, at every instant, kept sorted: one pass asks it many questions. */
import { booked, type Books, type Grant, NO_BOOKS, type Period } from './ledger.ts';

/** When something starts or ends, and what is granted more from then on; ends have negative amounts. */
interface Edge extends Readonly<Books> {
  at: number;
  of: Grant;
  /** No node gives them by number, but a namespace's budget has so many. */
  ports: number;
}

/** A time in which there is too little: from `start` up to but without `end`, and the most that is granted in it. */
export interface Tight extends Period {
  most: number;
}

export class Timeline {
  /** By time; what has no start is at -Infinity, and what has no end has no second edge. */
  #edges: Edge[];

  /** `isWhole`: whether a grant counts with all its amounts; if not, with its pod alone. */
  constructor(grants: readonly Grant[] = [], isWhole: (grant: Grant) => boolean = isOfNode) {
    this.#edges = grants.flatMap((grant) => edgesOf(grant, isWhole(grant))).sort((a, b) => a.at - b.at);
  }

  add(grant: Grant, isWhole = isOfNode(grant)): void {
    for (const edge of edgesOf(grant, isWhole)) this.#edges.splice(this.#after(edge.at), 0, edge);
  }

  /** One that was added, as it was. */
  remove(grant: Grant): void {
    const { start = -Infinity, end } = grant.period;
    for (const at of end === undefined ? [start] : [start, end]) {
      let index = this.#after(at) - 1;
      while (index >= 0 && this.#edges[index]!.of !== grant) index--;
      if (index < 0) throw new Error('what is to be taken off the books is not in them');
      this.#edges.splice(index, 1);
    }
  }

  /** What is asked while these count with their pods alone: one look at all, however many they are. */
  asParts<T>(grants: ReadonlySet<Grant>, ask: () => T): T {
    const edges = this.#edges;
    if (grants.size > 0) {
      this.#edges = edges.map((edge) => {
        const { at, of, pods } = edge;
        return grants.has(of) ? { ...NO_BOOKS, at, of, pods, ports: 0 } : edge;
      });
    }
    try {
      return ask();
    } finally {
      this.#edges = edges;
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

/** What is part of another takes from the node no more than its pod. */
function isOfNode({ parent }: Grant): boolean {
  return parent === undefined;
}

function edgesOf(of: Grant, isWhole: boolean): Edge[] {
  const { start = -Infinity, end } = of.period;
  const { shares, egress, memory, disk, pods } = isWhole ? booked(of.amounts) : { ...NO_BOOKS, pods: 1 };
  const ports = isWhole ? of.amounts.ports.length : 0;
  const first = { at: start, of, shares, egress, memory, disk, pods, ports };
  if (end === undefined) return [first];
  return [
    first,
    { at: end, of, shares: -shares, egress: -egress, memory: -memory, disk: -disk, pods: -pods, ports: -ports },
  ];
}

function tight(start: number, end: number, most: number): Tight {
  const finite = (instant: number): number | undefined => (Number.isFinite(instant) ? instant : undefined);
  return { start: finite(start), end: finite(end), most };
}
