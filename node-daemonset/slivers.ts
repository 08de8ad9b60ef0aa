/** What the checkpoint says of the slivers, for the commands that look at a node without its manager. */
import type { CpuMeter } from './cpu/usage.ts';
import type { NodeState } from './checkpoint.ts';
import { sumCounters } from './egress/counters.ts';
import { exemptClass } from './egress/names.ts';
import { readClassCounters } from './egress/netlink.ts';
import { partsOf } from './admission/split.ts';
import type { Policy } from './admission/policy.ts';
import { rowOf, type SliverRow } from './report/table.ts';
import { NO_ORDERS } from './owner/orders.ts';
import { holdsOf, suspendersOf } from './restraint.ts';
import { planStandings, whyNot } from './standing.ts';

/** What `status --json` and /slivers show: the rows, and when their counters were read, in ms since the epoch. */
export function formatRows(slivers: readonly SliverRow[], now: number): string {
  return `${JSON.stringify({ time: now, slivers }, null, 2)}\n`;
}

/** Through its class, and through its second one where there is one. */
function sent(counters: ReturnType<typeof sumCounters>, classId: number): number | undefined {
  const bytes = counters.get(classId)?.bytes;
  return bytes === undefined ? undefined : bytes + (counters.get(exemptClass(classId))?.bytes ?? 0);
}

/** One row a sliver: promised by the checkpoint, got by the kernel's own counters. */
export function readRows(
  state: NodeState,
  blackouts: Policy['blackouts'],
  now: number,
  cpu: Pick<CpuMeter, 'read'>,
): SliverRow[] {
  const holds = holdsOf(state);
  const { slivers } = planStandings(state.pods, state.ledger, blackouts, now, undefined, holds);
  if (slivers.length === 0) return [];
  const counters = sumCounters(readClassCounters().values());
  const used = cpu.read(slivers.map(({ id }) => ({ uid: id, capped: false })));
  const entries = new Map(state.ledger.entries.map((entry) => [entry.uid, entry]));
  const parts = partsOf(state.ledger.entries);
  return slivers.map((sliver) => {
    const { uid } = sliver.rcap;
    const why = sliver.standing === 'entitled' ? '' : whyNot(entries.get(uid), blackouts, now, holds, parts.get(uid));
    return rowOf(sliver, why ?? 'NotTheHolder', used.get(sliver.id)?.used, sent(counters, sliver.classId));
  });
}

/** Who else than the node's owner suspends what runs here: the sliver, and who it is with his reason. */
export function readSuspenders({ pods, ...state }: NodeState): [sliver: string, by: string][] {
  const holds = holdsOf({ ...state, orders: NO_ORDERS });
  return pods
    .filter(({ unpublished }) => !unpublished)
    .flatMap(({ rcap: { namespace, name, uid }, slice }) =>
      suspendersOf(holds, { namespace, slice, uid }).map((by): [string, string] => [`${namespace}/${name}`, by]),
    );
}
