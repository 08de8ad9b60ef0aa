/** What slivers had sent that are gone: whoever adds up what slices send must not miss what they sent at the end. */
import type { ClassCounters } from '../../egress/tc.ts';
import type { Sliver } from '../../sliver.ts';
import { sentThrough } from './sent.ts';

export interface EndedSliver {
  namespace: string;
  slice: string;
  /** The pod's uid. */
  pod: string;
  bytes: number;
  packets: number;
}

/** Whoever reads more seldom misses what came and went in between. */
const KEEP_MS = 600_000;
const MOST = 1_000;

export class EndedSlivers {
  #live: readonly Sliver[] = [];
  /** By pod; the oldest first. */
  readonly #ended = new Map<string, EndedSliver & { at: number }>();

  /**
   * To be called when the slivers may be others. `classes` as they were when those that are gone still had theirs; `now` in ms
   * of a clock that only grows.
   */
  update(slivers: readonly Sliver[], classes: ReadonlyMap<number, ClassCounters>, now: number): void {
    const ids = new Set(slivers.map(({ id }) => id));
    for (const { id, rcap, slice, classId } of this.#live) {
      const sent = ids.has(id) ? undefined : sentThrough(classes, classId);
      if (!sent || slice === undefined) continue;
      const { bytes, packets } = sent;
      this.#ended.set(id, { namespace: rcap.namespace, slice, pod: id, bytes, packets, at: now });
    }
    for (const id of ids) this.#ended.delete(id);
    this.#live = slivers;
    this.#forget(now);
  }

  list(now: number): EndedSliver[] {
    this.#forget(now);
    return [...this.#ended.values()];
  }

  #forget(now: number): void {
    for (const [id, { at }] of this.#ended) {
      if (now - at < KEEP_MS && this.#ended.size <= MOST) break;
      this.#ended.delete(id);
    }
  }
}
