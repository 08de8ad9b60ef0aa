/** Whether this node can grant what is asked: one rule after the other, the first that fails is the answer. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { portKey } from '../../crds/rspec.ts';
import { type Ask, formatInstant, type Refused } from './ask.ts';
import type { KnownHolder } from './held.ts';
import { type Books, type Entry, overlaps, taken } from './ledger.ts';
import { fitsInParent, holdsItsParts } from './parts.ts';
import { budgetOfPending } from './pending.ts';
import { budgetOf, isKeptPort, type Policy, portRefusal } from './policy.ts';
import { reserveIsKept } from './reserve.ts';
import { lineageOf } from './split.ts';
import type { Register } from './register.ts';
import { ahead, KINDS, when } from './tight.ts';

/** Everything that a judgement depends on. */
export interface Bench {
  policy: Policy;
  /** What slices can have in all, other pods' requests taken off. */
  offered: Books;
  /** All of the ledger, the asking entry too; its timeline without those that are `aside`. */
  register: Register;
  /** The uids of the asking entry and of one that it takes over: the new grant would take their places. */
  aside: readonly string[];
  /** The right that the asking one is, or is to be, part of. */
  parent: Entry | undefined;
  /** Rights that are a slice's by the node's local API, as their label says: the slice, by uid. */
  localTo: ReadonlyMap<string, string>;
  /** Ports that were asked for and are in use on the node; empty where nothing is judged that was not granted before. */
  held: readonly KnownHolder[];
  now: number;
}

type Rule = (ask: Ask, bench: Bench) => Refused | undefined;

const RULES: readonly Rule[] = [
  windowIsNotOver,
  privilegesAreOffered,
  hostNetworkIsOffered,
  namespaceIsWelcome,
  noBlackoutIsMet,
  portsAreOffered,
  budgetOfPending,
  budgetOfShares,
  budgetOfPorts,
  portsAreFree,
  portsAreUnused,
  holdsItsParts,
  fitsInParent,
  sumsFit,
  reserveIsKept,
];

/** The first reason against granting, or undefined: then it fits, at every instant of its window. */
export function judge(ask: Ask, bench: Bench): Refused | undefined {
  for (const rule of RULES) {
    const refused = rule(ask, bench);
    if (refused) return refused;
  }
  return undefined;
}

/** Those that look at a right alone: by them the owner's policy judges what he has granted, too. */
export const RULES_OF_KIND: readonly ((ask: Ask, bench: Pick<Bench, 'policy'>) => Refused | undefined)[] = [
  privilegesAreOffered,
  hostNetworkIsOffered,
  namespaceIsWelcome,
  portsAreOffered,
];

/** What another holds already takes nothing from the node: it only must be welcome, and within its new holder's budget. */
const RULES_OF_TRANSFER: readonly Rule[] = [
  windowIsNotOver,
  namespaceIsWelcome,
  budgetOfShares,
  budgetOfPorts,
  reserveIsKept,
];

/** The first reason against letting another hold the right; `others` has neither of the two. */
export function judgeTransfer(ask: Ask, bench: Bench): Refused | undefined {
  for (const rule of RULES_OF_TRANSFER) {
    const refused = rule(ask, bench);
    if (refused) return refused;
  }
  return undefined;
}

/**
 * Those about the node itself, whatever its owner's policy is by now: that takes nothing away, but where it says so. Whether ports
 * are in use was looked at when they were granted: by now the right's own sliver has them.
 */
const RULES_OF_ADOPTION: readonly Rule[] = [
  windowIsNotOver,
  portsAreNotKept,
  portsAreFree,
  holdsItsParts,
  fitsInParent,
  sumsFit,
];

/** The first reason against taking back what was granted before the ledger was lost; `offered` is all that there is. */
export function judgeAdoption(ask: Ask, bench: Bench): Refused | undefined {
  for (const rule of RULES_OF_ADOPTION) {
    const refused = rule(ask, bench);
    if (refused) return refused;
  }
  return undefined;
}

function windowIsNotOver({ period }: Ask, { now }: Bench): Refused | undefined {
  if (period.end === undefined || period.end > now) return undefined;
  return { reason: CapabilityReason.WindowPast, message: `the window ended at ${formatInstant(period.end)}` };
}

function privilegesAreOffered({ amounts }: Ask, { policy }: Pick<Bench, 'policy'>): Refused | undefined {
  const refused = amounts.privileges.filter((privilege) => !policy.privileges.includes(privilege));
  if (refused.length === 0) return undefined;
  const offered = policy.privileges.join(', ') || 'none';
  const message = `${refused.join(', ')} is not among the privileges that the node's owner offers: ${offered}`;
  return { reason: CapabilityReason.PrivilegeNotOffered, message };
}

function hostNetworkIsOffered({ amounts }: Ask, { policy }: Pick<Bench, 'policy'>): Refused | undefined {
  if (amounts.network === 'Pod' || policy.hostNetwork) return undefined;
  const message = "the node's owner lets no sliver use the node's own address: use network Pod, or ask elsewhere";
  return { reason: CapabilityReason.HostNetworkNotOffered, message };
}

function namespaceIsWelcome({ namespace }: Ask, { policy }: Pick<Bench, 'policy'>): Refused | undefined {
  if (!policy.namespaces.get(namespace)?.refused) return undefined;
  return { reason: CapabilityReason.NamespaceRefused, message: `the node's owner refuses namespace ${namespace}` };
}

function noBlackoutIsMet({ period }: Ask, { policy, now }: Bench): Refused | undefined {
  const from = { start: Math.max(period.start ?? now, now), end: period.end };
  const met = policy.blackouts.find((blackout) => overlaps(blackout.period, from));
  if (!met) return undefined;
  const { start, end } = met.period;
  const why = met.reason && ` (${met.reason})`;
  const message = `no slice runs here from ${formatInstant(start!)} until ${formatInstant(end!)}${why}: ask for a window without it`;
  return { reason: CapabilityReason.Blackout, message };
}

function portsAreOffered({ amounts }: Ask, { policy }: Pick<Bench, 'policy'>): Refused | undefined {
  for (const { protocol, port } of amounts.ports) {
    const message = portRefusal(policy, protocol, port);
    if (message) return { reason: CapabilityReason.PortNotOffered, message };
  }
  return undefined;
}

/** The node's own, which no owner can offer. */
function portsAreNotKept({ amounts }: Ask): Refused | undefined {
  const kept = amounts.ports.find(({ protocol, port }) => isKeptPort(protocol, port));
  if (!kept) return undefined;
  return { reason: CapabilityReason.PortNotOffered, message: `${portKey(kept)} is kept for the node itself` };
}

function budgetOfShares(ask: Ask, bench: Bench): Refused | undefined {
  return budgetFits(ask, bench, 'shares', ask.amounts.shares);
}

function budgetOfPorts(ask: Ask, bench: Bench): Refused | undefined {
  return budgetFits(ask, bench, 'ports', ask.amounts.ports.length);
}

/** At every instant of the window, as the sums of the node itself. */
function budgetFits(ask: Ask, bench: Bench, kind: 'shares' | 'ports', wanted: number): Refused | undefined {
  if (wanted === 0 || isOwn(ask, bench)) return undefined;
  const { policy, register, now } = bench;
  const budget = budgetOf(policy, ask.namespace)[kind];
  const tight = register.timelineOf(ask.namespace).firstTight(ahead(ask.period, now), kind, wanted, budget);
  if (!tight) return undefined;
  const left = Math.max(0, budget - tight.most);
  const message = `asks ${wanted} ${kind}, ${left} of ${budget} left for namespace ${ask.namespace}${when(tight, now)}`;
  return { reason: CapabilityReason.NamespaceBudget, message };
}

/** What it is part of has its ports too, and so has what is part of it. */
function portsAreFree(ask: Ask, { register, aside, parent, now }: Bench): Refused | undefined {
  const above = new Set(parent && lineageOf(register, parent).map(({ uid }) => uid));
  for (const port of ask.amounts.ports) {
    for (const entry of register.withPort(portKey(port))) {
      const { namespace, name, grant } = entry;
      if (!grant || aside.includes(entry.uid) || !overlaps(grant.period, ask.period)) continue;
      if (above.has(entry.uid) || lineageOf(register, entry).some(({ uid }) => uid === ask.uid)) continue;
      const message = `${port.protocol} port ${port.port} belongs to ${namespace}/${name}${when(grant.period, now)}`;
      return { reason: CapabilityReason.PortInUse, message };
    }
  }
  return undefined;
}

/** What the asking right's own pod holds is no obstacle: it may have had the port until a moment ago. */
function portsAreUnused({ uid, amounts }: Ask, { held }: Bench): Refused | undefined {
  if (amounts.ports.length === 0) return undefined;
  const wanted = new Set(amounts.ports.map(portKey));
  const holder = held.find((one) => wanted.has(portKey(one)) && one.rcap !== uid);
  if (!holder) return undefined;
  return { reason: CapabilityReason.PortInUse, message: `${portKey(holder)} is held by ${holder.by}` };
}

function sumsFit(ask: Ask, { offered, register, parent, now }: Bench): Refused | undefined {
  const wanted = taken({ amounts: ask.amounts, ...(parent && { parent: parent.uid }) });
  const period = ahead(ask.period, now);
  const peak = register.timeline.peak(period);
  for (const [kind, reason, format] of KINDS) {
    if (wanted[kind] === 0 || peak[kind] + wanted[kind] <= offered[kind]) continue;
    const tight = register.timeline.firstTight(period, kind, wanted[kind], offered[kind]);
    if (!tight) continue;
    const free = format(Math.max(0, offered[kind] - tight.most));
    const message = `asks ${format(wanted[kind])}, ${free} of ${format(offered[kind])} free${when(tight, now)}`;
    return { reason, message };
  }
  return undefined;
}

/** Part of what its namespace holds already: the budget has it. */
function isOwn({ namespace }: Ask, { register, parent }: Bench): boolean {
  return parent !== undefined && lineageOf(register, parent).some((one) => one.namespace === namespace);
}
