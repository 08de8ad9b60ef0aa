/**
 * A Node that is registered anew: its pods and addresses are others, and what was granted is granted anew, by what its owner says now.
 * Each right asks for what it held and as part of what it was part of, by the ledger: a value was shown once and shows nothing any
 * more, and what a part was split from may have been released or passed to another.
 */
import { CapabilityReason } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { readRecovered, refuseNode } from './ask.ts';
import { grantOf, named, type Weigh } from './decide.ts';
import type { Entry, Ledger } from './ledger.ts';
import { inOrderOfGrants } from './order.ts';
import type { Decision } from './plan.ts';
import type { Register } from './register.ts';
import { heldOf } from './split.ts';
import { isTransferred } from './transfer.ts';

const FORMER_UIDS = 8;

/** The Node as it is now. */
export interface Here {
  nodeName: string;
  nodeUID: string;
  /** ms since the epoch */
  now: number;
}

/**
 * The books of the Node of this uid. What passed to another stays so for good, and a value that showed nothing until the rcap is edited:
 * else it would take a right that runs by now. What else was refused is asked anew.
 */
export function forNode(ledger: Ledger, uid: string | undefined, decisions: Decision[]): Ledger {
  if (uid === undefined || uid === ledger.nodeUID) return ledger;
  for (const entry of ledger.entries) {
    if (entry.grant) decisions.push({ event: 'released', ...named(entry), grant: entry.grant, reason: 'NodeChanged' });
  }
  const former = ledger.nodeUID ? [ledger.nodeUID, ...ledger.formerNodeUIDs] : ledger.formerNodeUIDs;
  const formerNodeUIDs = former.filter((one) => one !== uid).slice(0, FORMER_UIDS);
  const entries = ledger.entries.flatMap((entry) => {
    const held = heldOf(entry);
    if (held) return [{ ...named(entry), former: held }];
    return isTransferred(entry) || entry.refusal?.reason === CapabilityReason.NotRedeemable ? [entry] : [];
  });
  return { ...ledger, nodeUID: uid, formerNodeUIDs, entries };
}

/**
 * The same where the ledger is lost, too, as with a new disk: by statuses that an earlier Node of this name wrote, of specs that were
 * not edited since: an edit may have moved them here. What they hold is put into the register, to be asked for anew.
 */
export function recall(rcaps: readonly ResourceCapability[], register: Register, here: Here): void {
  const { nodeName, nodeUID, now } = here;
  const held = new Map<string, Entry>();
  for (const entry of register.values()) if (heldOf(entry)) held.set(keyOf(entry), entry);
  const claiming = rcaps.filter((rcap) => rcap.status?.granted && !refuseNode(rcap, nodeName));
  const claimed = new Set(claiming.map(({ metadata }) => keyOf(metadata)));
  for (const rcap of inOrderOfGrants(rcaps)) {
    const { nodeUID: by, from = '', time = '' } = rcap.status?.granted ?? {};
    const ask = by === undefined || by === nodeUID ? undefined : readRecovered(rcap, nodeName, by);
    if (!ask || ask.generation !== rcap.metadata.generation || register.has(ask.uid)) continue;
    // Whoever holds what it was part of has a say over it: never without that, where it is there.
    if (!held.has(from) && claimed.has(from)) continue;
    const former = { ...grantOf(ask, held.get(from), now), time: Math.min(now, Date.parse(time) || now) };
    const entry = { ...named(ask), former };
    register.set(entry.uid, entry);
    held.set(keyOf(entry), entry);
  }
}

/**
 * What was held is granted before anything else is asked, none before what it is part of; edits that were not granted are asked
 * after that. What does not fit any more gets its answer as a question. `ordered`: in the order in which they are answered.
 */
export function grantAnew(
  ordered: readonly ResourceCapability[],
  register: Register,
  nodeName: string,
  weigh: Weigh,
): Decision[] {
  const decisions: Decision[] = [];
  for (const rcap of ordered) {
    const entry = register.get(rcap.metadata.uid ?? '');
    if (!entry?.former || entry.refusal || refuseNode(rcap, nodeName)) continue;
    const { former } = entry;
    const parent = former.parent === undefined ? undefined : register.get(former.parent);
    // Whoever holds what it is part of has a say over it: never without that.
    if (former.parent !== undefined && !parent?.grant) continue;
    if (weigh({ ...named(entry), ...former, from: former.from }, parent)) continue;
    register.set(entry.uid, { ...named(entry), grant: former });
    decisions.push({ event: 'granted', ...named(entry), grant: former, reason: 'RegisteredAnew' });
  }
  return decisions;
}

function keyOf({ namespace, name }: { namespace?: string; name: string }): string {
  return `${namespace}/${name}`;
}
