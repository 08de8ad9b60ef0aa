/** What slivers have sent, by the counters of their classes; and the probe for traffic that misses its class. */
import type { Problem, Sliver } from '../sliver.ts';
import { exemptClass } from './names.ts';
import type { ClassCounters } from './tc.ts';

/** Counters of one class over all uplinks. They start anew when a class is made again. */
export function sumCounters(lines: Iterable<ReadonlyMap<number, ClassCounters>>): Map<number, ClassCounters> {
  const sums = new Map<number, ClassCounters>();
  for (const line of lines) {
    for (const [minor, counters] of line) {
      const sum = sums.get(minor) ?? { bytes: 0, packets: 0, drops: 0, backlog: 0 };
      sums.set(minor, {
        bytes: sum.bytes + counters.bytes,
        packets: sum.packets + counters.packets,
        drops: sum.drops + counters.drops,
        backlog: sum.backlog + counters.backlog,
      });
    }
  }
  return sums;
}

/** What the pod had sent when its class last grew. */
export interface Baseline {
  txBytes: number;
  /** Packets that the class had seen. */
  seen: number;
}

/** So much may go to the pod's own node, past every uplink, before silence of its class is suspicious. */
const SUSPICIOUS = 1_000_000;

/**
 * Pure: a pod that sends while its class stands still is not classified, as with a CNI that forwards past netfilter.
 * `previous` is what the last call returned.
 */
export function planUnclassified(
  previous: ReadonlyMap<string, Baseline>,
  slivers: readonly Sliver[],
  counters: ReadonlyMap<number, ClassCounters>,
): { baselines: Map<string, Baseline>; problems: Problem[] } {
  const baselines = new Map<string, Baseline>();
  const problems: Problem[] = [];
  for (const sliver of slivers) {
    if (sliver.txBytes === undefined) {
      // Not counted in this pass: the comparison goes on from where it was.
      const last = previous.get(sliver.id);
      if (last) baselines.set(sliver.id, last);
      continue;
    }
    const classes = [counters.get(sliver.classId), counters.get(exemptClass(sliver.classId))];
    const seen = classes.reduce((sum, one) => sum + (one ? one.packets + one.drops : 0), 0);
    const was = previous.get(sliver.id);
    const silent = was !== undefined && was.seen === seen && sliver.txBytes >= was.txBytes;
    baselines.set(sliver.id, silent ? was : { txBytes: sliver.txBytes, seen });
    if (!silent || sliver.txBytes - was.txBytes < SUSPICIOUS) continue;
    const name = `${sliver.rcap.namespace}/${sliver.rcap.name}`;
    const message = `${name}: its pod sent ${sliver.txBytes - was.txBytes} bytes and its class none: either all of it stayed on this node, or the CNI forwards past netfilter and its egress is not guaranteed`;
    problems.push({ sliver: sliver.id, reason: 'EgressUnclassified', message });
  }
  return { baselines, problems };
}
