/**
 * What the node granted before its ledger was lost, taken back from the statuses of its rcaps: once, and before anything new is
 * granted. Nobody asks: what an owner says by now, and what other pods request, is no more a reason against it than it was while
 * the ledger was there.
 */
import type { ResourceCapability } from '../../crds/types.ts';
import { readRecovered, refuseNode } from './ask.ts';
import { grantOf, named } from './decide.ts';
import { judgeAdoption } from './judge.ts';
import type { Books, Entry } from './ledger.ts';
import { inOrderOfGrants } from './order.ts';
import type { Decision } from './plan.ts';
import type { Allocatable, Policy } from './policy.ts';
import type { Register } from './register.ts';

export interface Lost {
  /** Every rcap that is seen. */
  rcaps: readonly ResourceCapability[];
  /** What is in the ledger nevertheless; what is adopted is put there. */
  register: Register;
  nodeName: string;
  node: Allocatable & { uid: string };
  policy: Policy;
  now: number;
}

/** Each right that fits in the node, beside those that were there before it, and whose line of descent is known. */
export function adopt({ rcaps, register, nodeName, node, policy, now }: Lost): Decision[] {
  const decisions: Decision[] = [];
  const held = new Map<string, Entry>();
  for (const entry of register.values()) if (entry.grant) held.set(keyOf(entry), entry);
  const claimed = new Set(
    rcaps.filter((rcap) => claims(rcap, nodeName, node.uid)).map(({ metadata }) => keyOf(metadata)),
  );
  const capacity = capacityOf(node);
  for (const rcap of inOrderOfGrants(rcaps)) {
    const ask = readRecovered(rcap, nodeName, node.uid);
    if (!ask || register.has(ask.uid)) continue;
    const { from = '', time = '' } = rcap.status?.granted ?? {};
    // What it was part of may be no more: then it is of the node itself.
    const parent = held.get(from);
    // But where that is there, whoever holds it has a say over the part, and none over what is adopted without it.
    if (!parent && claimed.has(from)) continue;
    const bench = {
      policy,
      offered: capacity,
      register,
      aside: [ask.uid],
      parent,
      localTo: new Map(),
      held: [],
      now,
    };
    if (judgeAdoption(ask, bench)) continue;
    // the youngest rights go first when an owner takes some back: it is as old as it was
    const granted = Math.min(now, Date.parse(time) || now);
    const entry = {
      ...named(ask),
      grant: { ...grantOf(ask, parent, now), time: granted },
    };
    register.set(entry.uid, entry);
    held.set(keyOf(entry), entry);
    decisions.push({
      event: 'granted',
      ...named(entry),
      grant: entry.grant,
      reason: 'Recovered',
    });
  }
  return decisions;
}

/** Whether its status says that this node granted it; what names another node by now has been given up. */
function claims(rcap: ResourceCapability, nodeName: string, nodeUID: string): boolean {
  return rcap.status?.granted?.nodeUID === nodeUID && !refuseNode(rcap, nodeName);
}

/** All that there is. What a line gives is no bound: one that is slow today takes nothing from anybody. */
function capacityOf({ memory, disk, pods }: Allocatable): Books {
  return { shares: 1000, egress: Infinity, memory, disk, pods };
}

function keyOf({ namespace, name }: { namespace?: string; name: string }): string {
  return `${namespace}/${name}`;
}
