/** The answer to one rcap: granted, renewed or refused, with the reason. */
import { isDeepStrictEqual } from 'node:util';
import { CapabilityReason } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { type Ask, isRefused, readAsk, refuseNode, type Refused } from './ask.ts';
import type { Binding, Entry, Grant, Ledger } from './ledger.ts';
import type { Decision } from './plan.ts';
import { type Entries, heldOf } from './split.ts';

export type Weigh = (ask: Ask, parent: Entry | undefined) => Refused | undefined;

export interface Context {
  ledger: Ledger;
  /** What is granted and refused by now, in this pass too. */
  entries: Entries;
  /** What rights were bound to that held nothing when the pass began, by uid. */
  bindings: ReadonlyMap<string, Binding>;
  nodeName: string;
  weigh: Weigh;
  now: number;
}

/** The answer to one rcap; undefined where its generation was answered before. */
export function decide(
  rcap: ResourceCapability,
  entry: Entry | undefined,
  context: Context,
): { entry: Entry; decision: Decision } | undefined {
  const { ledger, entries, bindings, nodeName, weigh, now } = context;
  const generation = rcap.metadata.generation ?? 0;
  // A label can change without a new generation; what names another node is given up whenever it is seen.
  const movedAway = refuseNode(rcap, nodeName);
  const answered = answeredUntil(entry) >= generation;
  const held = heldOf(entry);
  if (answered && !(movedAway && held)) return undefined;
  if (!entry?.grant && rcap.metadata.deletionTimestamp) return undefined;

  const ask = movedAway ?? readAsk(rcap, nodeName, held);
  const identity = { uid: rcap.metadata.uid ?? '', namespace: rcap.metadata.namespace ?? '', name: rcap.metadata.name };
  const parent = isRefused(ask) ? undefined : parentOf(ask, held, entries);
  const refused = isRefused(ask)
    ? ask
    : isAsHeld(ask, entry?.grant)
      ? undefined
      : (refuseMove(rcap, entry, ledger) ??
        refuseRebinding(ask, held?.sliceName ?? bindings.get(ask.uid)?.sliceName) ??
        refuseFrom(ask, held, parent) ??
        weigh(ask, parent));
  if (!refused) {
    const next: Entry = { ...identity, grant: grantOf(ask as Ask, parent, now, entry?.grant) };
    return {
      entry: next,
      decision: { event: entry?.grant ? 'renewed' : 'granted', ...identity, grant: next.grant! },
    };
  }
  const refusal = { generation, ...refused, time: now };
  if (entry?.grant && !movedAway) {
    const next: Entry = { ...identity, grant: entry.grant, refusal };
    return { entry: next, decision: { event: 'resizeDenied', ...identity, ...refused } };
  }
  const former = movedAway ? undefined : entry?.former;
  return {
    entry: { ...identity, ...(former && { former }), refusal },
    decision: { event: 'denied', ...identity, ...refused },
  };
}

/** An edit that asks nothing, as one of who is suspended: nobody's books change, so it is no question whether they may. */
function isAsHeld({ amounts, period, sliceName, from }: Ask, grant: Grant | undefined): boolean {
  const held = grant && [grant.amounts, grant.period, grant.sliceName, grant.from];
  return isDeepStrictEqual(held, [amounts, period, sliceName, from]);
}

/**
 * A right that another node granted, and whose spec was edited since, has been moved here: that is refused, as both
 * might hold it. Unedited it is our own, from before the Node was registered anew.
 */
function refuseMove(rcap: ResourceCapability, entry: Entry | undefined, ledger: Ledger): Refused | undefined {
  const granted = rcap.status?.granted;
  if (!granted || entry || granted.nodeUID === ledger.nodeUID || ledger.formerNodeUIDs.includes(granted.nodeUID)) {
    return undefined;
  }
  if (granted.observedGeneration === rcap.metadata.generation) return undefined;
  const message = "another node granted it: a right can't move; delete it and ask here anew";
  return { reason: CapabilityReason.WrongNode, message };
}

/** `sliceName`: what it is bound to, now or before; undefined where it never was. */
export function refuseRebinding(ask: Ask, sliceName: string | undefined): Refused | undefined {
  if (!sliceName || sliceName === ask.sliceName) return undefined;
  const message = `it is bound to slice ${sliceName} and stays so: release it and acquire another`;
  return { reason: CapabilityReason.InvalidSpec, message };
}

/** What a right is part of: of one that is granted, or was, the ledger says so, whatever became of the name. */
function parentOf(ask: Ask, held: Grant | undefined, entries: Entries): Entry | undefined {
  if (held) return held.parent === undefined ? undefined : entries.get(held.parent);
  if (ask.from === undefined) return undefined;
  for (const one of entries.values()) {
    if (one.grant && one.name === ask.from && one.namespace === ask.namespace && one.uid !== ask.uid) return one;
  }
  return undefined;
}

function refuseFrom(ask: Ask, held: Grant | undefined, parent: Entry | undefined): Refused | undefined {
  if (held && held.from !== ask.from) {
    const message = `spec.from was ${held.from ?? 'absent'} when it was granted and stays so: release it and split another`;
    return { reason: CapabilityReason.InvalidSpec, message };
  }
  if (held && parent && !parent.grant) {
    const message = `it is part of ${parent.namespace}/${parent.name}, which this node has not granted anew: edit this when that is granted`;
    return { reason: CapabilityReason.NoParent, message };
  }
  if (held || ask.from === undefined || parent) return undefined;
  const message = `namespace ${ask.namespace} holds no right ${ask.from} on this node: only a right that is granted can be split`;
  return { reason: CapabilityReason.NoParent, message };
}

export function answeredUntil(entry: Entry | undefined): number {
  return Math.max(entry?.grant?.generation ?? -1, entry?.refusal?.generation ?? -1);
}

/** Who asks for no more and for no other time, as one who binds a right, keeps its age. */
export function grantOf(ask: Ask, parent: Entry | undefined, now: number, before?: Grant): Grant {
  const { generation, amounts, period, contact, sliceName, from } = ask;
  const part = { ...(from !== undefined && { from }), ...(parent && { parent: parent.uid }) };
  const isSame = before && isDeepStrictEqual([before.amounts, before.period], [amounts, period]);
  return { generation, amounts, period, contact, sliceName, time: isSame ? before.time : now, ...part };
}

export function named({
  uid,
  namespace,
  name,
}: Pick<Entry, 'uid' | 'namespace' | 'name'>): Pick<Entry, 'uid' | 'namespace' | 'name'> {
  return { uid, namespace, name };
}
