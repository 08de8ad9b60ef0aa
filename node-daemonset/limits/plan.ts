/** Memory and process limits of slivers, at the pod: what to write where the kernel has it otherwise. */
import type { Sliver } from '../sliver.ts';

/** One kind of limit; Infinity is none. */
export type LimitKind = 'memory' | 'processes';

/** What a sliver's pod has now; a kind is absent where this kernel can't limit it. */
export interface ObservedLimits {
  memory?: number;
  processes?: number;
}

export interface LimitWrite {
  sliver: string;
  kind: LimitKind;
  /** bytes or processes; Infinity lifts the limit */
  value: number;
}

/** The kernel counts memory in pages, and reads back less than what was written. */
const PAGE = 4096;

/**
 * The writes for every sliver that has a cgroup. A memory limit that is no longer asked for is lifted, as slivers have
 * no other; without a process limit the kubelet's own is left alone. Nobody gets more processes than the kubelet gives a pod:
 * `kubeletLimit`, which other pods of the node show; where none does, a limit is only ever lowered.
 */
export function planLimits(
  slivers: readonly Sliver[],
  observed: ReadonlyMap<string, ObservedLimits>,
  kubeletLimit?: number,
): LimitWrite[] {
  return slivers.flatMap(({ id, amounts }): LimitWrite[] => {
    const has = observed.get(id);
    if (!has) return [];
    const writes: LimitWrite[] = [];
    const memory = amounts.memory === undefined ? Infinity : Math.max(PAGE, Math.floor(amounts.memory / PAGE) * PAGE);
    if (has.memory !== undefined && has.memory !== memory) writes.push({ sliver: id, kind: 'memory', value: memory });
    if (amounts.processes !== undefined && has.processes !== undefined) {
      const processes = Math.min(amounts.processes, kubeletLimit ?? has.processes);
      if (has.processes !== processes) writes.push({ sliver: id, kind: 'processes', value: processes });
    }
    return writes;
  });
}
