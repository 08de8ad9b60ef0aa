/** What watchdogs read: one sensor on all nodes. */
import type { Reading } from '../../crds/reading.ts';

/** What one node says; or why it says nothing, as the end of the sentence "node1 ...". */
export type NodeReading = { node: string } & (
  | {
      reading: Reading;
      /** There is more than it sent, so that what is missing in it says nothing. */
      cut?: boolean;
    }
  | { error: string }
);

/** Bounded in time and size by whoever implements it; what a node sent is still anybody's word. */
export interface Readings {
  /** Every node that there is, once. Rejects where nobody can be asked, as when there is no such sensor. */
  read(sensor: string, args: readonly string[], signal: AbortSignal): Promise<NodeReading[]>;
}

/** Some sensors are read in ways of their own. */
export function bySensor(own: Readonly<Record<string, Readings>>, others: Readings): Readings {
  const byName = new Map(Object.entries(own));
  return { read: (sensor, args, signal) => (byName.get(sensor) ?? others).read(sensor, args, signal) };
}
