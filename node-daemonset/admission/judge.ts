/** Whether this node can grant what is asked: one rule after the other, the first that fails is the answer. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { formatBytes, formatRate } from '../../crds/quantity.ts';
import { portKey } from '../../crds/rspec.ts';
import { type Ask, formatInstant, type Refused } from './ask.ts';
import type { KnownHolder } from './held.ts';
import {
  booked,
  type Books,
  type Entry,
  type Grant,
  overlaps,
  type Period,
  type Stretch,
  stretches,
} from './ledger.ts';
import { budgetOf, type Policy, portRefusal } from './policy.ts';

/** Everything that a judgement depends on. */
export interface Bench {
  policy: Policy;
  /** What slices can have in all, other pods' requests taken off. */
  offered: Books;
  /** Every other entry of the ledger: never the asking one, whose old grant the new one would take the place of. */
  others: readonly Entry[];
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
  sumsFit,
];

/** The first reason against granting, or undefined: then it fits, at every instant of its window. */
export function judge(ask: Ask, bench: Bench): Refused | undefined {
  for (const rule of RULES) {
    const refused = rule(ask, bench);
    if (refused) return refused;
  }
  return undefined;
}

function windowIsNotOver({ period }: Ask, { now }: Bench): Refused | undefined {
  if (period.end === undefined || period.end > now) return undefined;
  return { reason: CapabilityReason.WindowPast, message: `the window ended at ${formatInstant(period.end)}` };
}

function privilegesAreOffered({ amounts }: Ask, { policy }: Bench): Refused | undefined {
  const refused = amounts.privileges.filter((privilege) => !policy.privileges.includes(privilege));
  if (refused.length === 0) return undefined;
  const offered = policy.privileges.join(', ') || 'none';
  const message = `${refused.join(', ')} is not among the privileges that the node's owner offers: ${offered}`;
  return { reason: CapabilityReason.PrivilegeNotOffered, message };
}

function hostNetworkIsOffered({ amounts }: Ask, { policy }: Bench): Refused | undefined {
  if (amounts.network === 'Pod' || policy.hostNetwork) return undefined;
  const message = "the node's owner lets no sliver use the node's own address: use network Pod, or ask elsewhere";
  return { reason: CapabilityReason.HostNetworkNotOffered, message };
}

function namespaceIsWelcome({ namespace }: Ask, { policy }: Bench): Refused | undefined {
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

function portsAreOffered({ amounts }: Ask, { policy }: Bench): Refused | undefined {
  for (const { protocol, port } of amounts.ports) {
    const message = portRefusal(policy, protocol, port);
    if (message) return { reason: CapabilityReason.PortNotOffered, message };
  }
  return undefined;
}

function budgetOfPending({ namespace }: Ask, { policy, others }: Bench): Refused | undefined {
  const pending = others.filter((entry) => entry.namespace === namespace && !entry.grant).length;
  const budget = budgetOf(policy, namespace).pending;
  if (pending < budget) return undefined;
  const message = `namespace ${namespace} has ${pending} rights here that were not granted, ${budget} are allowed: delete some`;
  return { reason: CapabilityReason.NamespaceBudget, message };
}

function budgetOfShares(ask: Ask, { policy, others, now }: Bench): Refused | undefined {
  const budget = budgetOf(policy, ask.namespace).shares;
  const { shares } = ask.amounts;
  const tight = tooTight(ahead(grantsIn(others, ask.namespace), ask.period, now), 'shares', shares, budget);
  if (!tight) return undefined;
  const left = Math.max(0, budget - tight.sums.shares);
  const message = `asks ${shares} shares, ${left} of ${budget} left for namespace ${ask.namespace}${when(tight, now)}`;
  return { reason: CapabilityReason.NamespaceBudget, message };
}

function budgetOfPorts(ask: Ask, { policy, others }: Bench): Refused | undefined {
  const wanted = ask.amounts.ports.length;
  if (wanted === 0) return undefined;
  const budget = budgetOf(policy, ask.namespace).ports;
  // counted over the whole window rather than at each instant: simpler, and never too few
  const used = grantsIn(others, ask.namespace)
    .filter((grant) => overlaps(grant.period, ask.period))
    .reduce((sum, grant) => sum + grant.amounts.ports.length, 0);
  if (used + wanted <= budget) return undefined;
  const message = `asks ${wanted} ports, ${Math.max(0, budget - used)} of ${budget} left for namespace ${ask.namespace}`;
  return { reason: CapabilityReason.NamespaceBudget, message };
}

function portsAreFree(ask: Ask, { others }: Bench): Refused | undefined {
  if (ask.amounts.ports.length === 0) return undefined;
  const wanted = new Set(ask.amounts.ports.map(portKey));
  for (const { namespace, name, grant } of others) {
    if (!grant || !overlaps(grant.period, ask.period)) continue;
    const taken = grant.amounts.ports.find((port) => wanted.has(portKey(port)));
    if (!taken) continue;
    const until = grant.period.end === undefined ? '' : ` until ${formatInstant(grant.period.end)}`;
    const message = `${taken.protocol} port ${taken.port} belongs to ${namespace}/${name}${until}`;
    return { reason: CapabilityReason.PortInUse, message };
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

const KINDS: readonly [keyof Books, string, (amount: number) => string][] = [
  ['shares', CapabilityReason.InsufficientShares, String],
  ['egress', CapabilityReason.InsufficientEgress, formatRate],
  ['memory', CapabilityReason.InsufficientMemory, formatBytes],
  ['disk', CapabilityReason.InsufficientDisk, formatBytes],
  ['pods', CapabilityReason.InsufficientPods, String],
];

function sumsFit(ask: Ask, { offered, others, now }: Bench): Refused | undefined {
  const wanted = booked(ask.amounts);
  const grants = others.flatMap((entry) => entry.grant ?? []);
  const parts = ahead(grants, ask.period, now);
  for (const [kind, reason, format] of KINDS) {
    if (wanted[kind] === 0) continue;
    const tight = tooTight(parts, kind, wanted[kind], offered[kind]);
    if (!tight) continue;
    const free = format(Math.max(0, offered[kind] - tight.sums[kind]));
    const message = `asks ${format(wanted[kind])}, ${free} of ${format(offered[kind])} free${when(tight, now)}`;
    return { reason, message };
  }
  return undefined;
}

/** What is granted over the rest of a period: what is past needs not fit. */
function ahead(grants: readonly Grant[], { start, end }: Period, now: number): Stretch[] {
  return stretches(grants, { start: Math.max(start ?? now, now), end });
}

/** The first time in which it does not fit, as one stretch, with the most that is granted in it; undefined where it always fits. */
function tooTight(parts: readonly Stretch[], kind: keyof Books, wanted: number, limit: number): Stretch | undefined {
  const isTight = ({ sums }: Stretch): boolean => sums[kind] + wanted > limit;
  // What exceeds all there is fits at no time; what is left now is what a person can ask for.
  if (wanted > limit) return { ...parts[0]!, end: undefined };
  const from = parts.findIndex(isTight);
  if (from < 0) return undefined;
  const end = parts.findIndex((part, i) => i > from && !isTight(part));
  const run = parts.slice(from, end < 0 ? undefined : end);
  const { sums } = run.reduce((most, part) => (part.sums[kind] > most.sums[kind] ? part : most));
  return { start: run[0]!.start, end: run.at(-1)!.end, sums };
}

/** When a stretch is, in words. */
function when({ start, end }: Stretch, now: number): string {
  const from = start !== undefined && start > now ? ` from ${formatInstant(start)}` : '';
  return from + (end === undefined ? '' : ` until ${formatInstant(end)}`);
}

function grantsIn(entries: readonly Entry[], namespace: string): Grant[] {
  return entries.flatMap((entry) => (entry.namespace === namespace && entry.grant ? [entry.grant] : []));
}
