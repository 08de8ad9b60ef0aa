/** How much of the node manager one namespace may take up: its questions wait, and nobody else's. */
import { LABEL_LOCAL, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import type { Ledger } from './ledger.ts';
import { heldOf } from './split.ts';
import { isTransferred, saysTransferred } from './transfer.ts';

/** Answers that a namespace gets at once, far above what any budget lets it hold; each is a line of the grant log. */
const BURST = 1000;
/** Answers in a second after that: 8 MiB of the log are then more than two hours of one namespace's. */
const REFILL = 2;
/** Rcaps of one namespace that are looked at: those with a grant, then the oldest; records of what passed to another last. */
const MOST_RCAPS = 1000;

/** A token bucket for each namespace. */
export class Turns {
  readonly #now: () => number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Answers that the namespace may have now. */
  left(namespace: string): number {
    const bucket = this.#buckets.get(namespace);
    // A clock that was set back gives nothing and takes nothing.
    const seconds = bucket ? Math.max(0, this.#now() - bucket.at) / 1000 : 0;
    return bucket ? Math.min(BURST, bucket.left + seconds * REFILL) : BURST;
  }

  spend(namespace: string): void {
    this.#buckets.set(namespace, { left: this.left(namespace) - 1, at: this.#now() });
    if (this.#buckets.size > MOST_RCAPS) this.#forget();
  }

  #forget(): void {
    for (const namespace of this.#buckets.keys()) if (this.left(namespace) >= BURST) this.#buckets.delete(namespace);
  }
}

/** Of an rcap what is read here: a tenant may put a megabyte of finalizers and owners into each, and all of them are kept. */
export function lean({ metadata, ...rest }: ResourceCapability): ResourceCapability {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, labels } = metadata;
  const times = { creationTimestamp, deletionTimestamp };
  const read = [LABEL_NODE, LABEL_LOCAL].flatMap((label) => (labels?.[label] ? [[label, labels[label]]] : []));
  return {
    ...rest,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      generation,
      ...times,
      ...(read.length > 0 && { labels: Object.fromEntries(read) }),
    },
  };
}

/** The rcaps without what one namespace has beyond all measure; what is granted stays, or it would pass for released. */
export function bounded(rcaps: ResourceCapability[], ledger: Ledger): ResourceCapability[] {
  if (rcaps.length <= MOST_RCAPS) return rcaps;
  // Where the ledger was lost, statuses alone tell until it is rebuilt from what is seen.
  const told = ledger.recovered ? [] : rcaps;
  const granted = new Set([
    ...ledger.entries.flatMap((entry) => (heldOf(entry) ? [entry.uid] : [])),
    ...told.flatMap(({ metadata: { uid = '' }, status }) => (status?.granted ? [uid] : [])),
  ]);
  const transferred = new Set([
    ...ledger.entries.flatMap((entry) => (isTransferred(entry) ? [entry.uid] : [])),
    ...told.flatMap((rcap) => (saysTransferred(rcap) ? [rcap.metadata.uid ?? ''] : [])),
  ]);
  const rank = ({ metadata: { uid = '', creationTimestamp } }: ResourceCapability): string =>
    `${granted.has(uid) ? 0 : transferred.has(uid) ? 2 : 1} ${creationTimestamp} ${uid}`;
  return [...Map.groupBy(rcaps, ({ metadata }) => metadata.namespace).values()].flatMap((own) => {
    if (own.length <= MOST_RCAPS) return own;
    const ranked = own.map((rcap) => ({ rcap, rank: rank(rcap) })).sort((a, b) => (a.rank < b.rank ? -1 : 1));
    return ranked
      .filter(({ rcap }, i) => i < MOST_RCAPS || granted.has(rcap.metadata.uid ?? ''))
      .map(({ rcap }) => rcap);
  });
}
