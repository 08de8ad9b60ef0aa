/** The sums of some of the ledger's rights, kept while rights come and go: no question adds them up anew. */
import type { Entry, Grant } from './ledger.ts';
import { Timeline } from './timeline.ts';

/** How a right counts: with all its amounts, with its pod alone, or not. */
export type Weight = 'Whole' | 'Part' | undefined;

export class Holdings {
  readonly timeline: Timeline;
  readonly #weigh: (entry: Entry) => Weight;
  /** By uid, as it was counted. */
  readonly #booked = new Map<string, { grant: Grant; isWhole: boolean }>();

  constructor(entries: Iterable<Entry>, weigh: (entry: Entry) => Weight) {
    this.#weigh = weigh;
    const wholes = new Set<Grant>();
    for (const entry of entries) {
      const { uid, grant } = entry;
      const weight = grant && weigh(entry);
      if (!weight) continue;
      this.#booked.set(uid, { grant, isWhole: weight === 'Whole' });
      if (weight === 'Whole') wholes.add(grant);
    }
    const grants = [...this.#booked.values()].map(({ grant }) => grant);
    this.timeline = new Timeline(grants, (grant) => wholes.has(grant));
  }

  /** As the entry is by now; nothing where that is as it was. */
  book(entry: Entry): void {
    const { uid, grant } = entry;
    const weight = grant && this.#weigh(entry);
    const isWhole = weight === 'Whole';
    const known = this.#booked.get(uid);
    if (known && weight && known.grant === grant && known.isWhole === isWhole) return;
    this.strike(uid);
    if (!weight) return;
    this.timeline.add(grant, isWhole);
    this.#booked.set(uid, { grant, isWhole });
  }

  strike(uid: string): void {
    const known = this.#booked.get(uid);
    if (!known) return;
    this.timeline.remove(known.grant);
    this.#booked.delete(uid);
  }

  /** What is asked while these count with their pods alone. */
  asParts<T>(uids: readonly string[], ask: () => T): T {
    const wholes = uids.flatMap((uid) => {
      const known = this.#booked.get(uid);
      return known?.isWhole ? [known.grant] : [];
    });
    return this.timeline.asParts(new Set(wholes), ask);
  }
}
