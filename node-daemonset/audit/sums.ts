/** What each slice sent in the hour that is, and in the one before: all of it, however many flows it was. */
import type { SliceSum } from '../../crds/flows.ts';
import { type Flow, type Identity, UNATTRIBUTED } from './flow.ts';

const HOUR_MS = 3_600_000;
/** Slices of one hour; what others send in it is not told. A node has a tenth of it in pods. */
const MOST = 5_000;

interface Hour {
  /** ms since the epoch */
  start: number;
  bySlice: Map<string, SliceSum>;
  cut: boolean;
}

export class SliceSums {
  /** The newest last. */
  #hours: Hour[] = [];

  /** `at`: when the flow was drained, in ms since the epoch. What no slice sent is nobody's. */
  add({ sliver, packets, bytes }: Pick<Flow, 'sliver' | 'packets' | 'bytes'>, owner: Identity | undefined, at: number) {
    if (!owner || owner.slice === '' || sliver === UNATTRIBUTED) return;
    const { namespace, slice } = owner;
    const hour = this.#at(at - (at % HOUR_MS));
    const key = `${namespace}/${slice}`;
    const sum = hour.bySlice.get(key);
    if (sum) {
      sum.packets += packets;
      sum.bytes += bytes;
    } else if (hour.bySlice.size < MOST) {
      const since = new Date(hour.start).toISOString();
      hour.bySlice.set(key, { since, namespace, slice, packets, bytes });
    } else hour.cut = true;
  }

  read(): { sums: SliceSum[]; truncated?: 'Rows' } {
    const sums = this.#hours.flatMap(({ bySlice }) => [...bySlice.values()]);
    return { sums, ...(this.#hours.some(({ cut }) => cut) && { truncated: 'Rows' as const }) };
  }

  /** A clock that was set back goes on with the hour that it was in. */
  #at(start: number): Hour {
    const known = this.#hours.find((hour) => hour.start === start);
    if (known) return known;
    const hour: Hour = { start, bySlice: new Map(), cut: false };
    this.#hours = [...this.#hours, hour].slice(-2);
    return hour;
  }
}
