/** What the checkpoint says of the slivers, for the commands that look at a node without its manager. */
import { findPods, openTree, readCpuTime, type TreeOptions } from './cpu/cgroups.ts';
import type { NodeState } from './checkpoint.ts';
import { sumCounters } from './egress/counters.ts';
import { exemptClass } from './egress/names.ts';
import { observeLines } from './egress/observe.ts';
import type { Policy } from './admission/policy.ts';
import { rowOf, type SliverRow } from './report/table.ts';
import { planStandings } from './standing.ts';

/** What `status --json` and /slivers show: the rows, and when their counters were read, in ms since the epoch. */
export function formatRows(slivers: readonly SliverRow[], now: number): string {
  return `${JSON.stringify({ time: now, slivers }, null, 2)}\n`;
}

/** Reads at most once at a time, however many ask: a reading starts a process. */
export function createRowReader(read: () => Promise<SliverRow[]>, now: () => number): () => Promise<string> {
  let reading: Promise<string> | undefined;
  return () =>
    (reading ??= read()
      .then((rows) => formatRows(rows, now()))
      .finally(() => (reading = undefined)));
}

/** Through its class, and through its second one where there is one. */
function sent(counters: ReturnType<typeof sumCounters>, classId: number): number | undefined {
  const bytes = counters.get(classId)?.bytes;
  return bytes === undefined ? undefined : bytes + (counters.get(exemptClass(classId))?.bytes ?? 0);
}

/** One row a sliver: promised by the checkpoint, got by the kernel's own counters. */
export async function readRows(
  state: NodeState,
  blackouts: Policy['blackouts'],
  now: number,
  options: TreeOptions,
): Promise<SliverRow[]> {
  const { slivers } = planStandings(state.pods, state.ledger, blackouts, now, undefined, state.restraints);
  if (slivers.length === 0) return [];
  const counters = sumCounters((await observeLines()).values());
  const tree = openTree(options);
  const pods = findPods(tree);
  return slivers.map((sliver) => {
    const pod = pods.get(sliver.id);
    return rowOf(sliver, pod && readCpuTime(tree, pod.path), sent(counters, sliver.classId));
  });
}
