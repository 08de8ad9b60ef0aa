/**
 * What was granted and the owner's policy, as it is now, would not leave. Oldest first: a right stays that fits beside the older
 * ones that stay. So the youngest go, and none in vain.
 */
import { CapabilityReason } from '../../crds/conditions.ts';
import type { Refused } from './ask.ts';
import { RULES_OF_KIND } from './judge.ts';
import { type Entry, type Grant, type Ledger, type Period, taken } from './ledger.ts';
import type { Decision } from './plan.ts';
import { type Allocatable, budgetOf, offered, type Policy } from './policy.ts';
import { offeredToOthers } from './reserve.ts';
import { heldBy, heldIn, relink } from './split.ts';
import { KINDS } from './tight.ts';
import { type Amount, GrowingSums } from './sums.ts';

/** A right that the policy would not leave, and why. */
export interface Beyond extends Refused {
  entry: Granted;
}

type Granted = Entry & { grant: Grant };

/** Something that rights take from, each as long as it holds. */
interface Pool {
  sums: GrowingSums;
  takes: ReadonlyMap<string, { period: Period; amount: Amount }>;
  limit: Amount;
  /** Whose it is, in words. */
  of: string;
}

/** Each kind, what a refusal is called, and how it is written. */
const COUNTED: readonly [keyof Amount, string, (amount: number) => string][] = [
  ...KINDS,
  ['ports', CapabilityReason.NamespaceBudget, String],
];

/**
 * By the owner's word alone: what other pods request, a line that is slow today, or a cap of the moment takes nothing from
 * anybody. Nor do blackouts: rights pause in them. The youngest is first.
 */
export function beyondPolicy(entries: readonly Entry[], policy: Policy, node: Allocatable, now: number): Beyond[] {
  const isGranted = (entry: Entry): entry is Granted => entry.grant !== undefined;
  const granted = entries.filter(isGranted).toSorted((a, b) => a.grant.time - b.grant.time);
  const pools = poolsOf(granted, policy, node, now);
  const beyond: Beyond[] = [];
  for (const entry of granted) {
    const refused = ofKind(entry, policy) ?? tooMuch(entry, pools);
    if (refused) beyond.push({ entry, ...refused });
    else for (const pool of pools) take(pool, entry);
  }
  return beyond.reverse();
}

/** What was found last by a policy, which is replaced and never changed in place. */
const found = new WeakMap<Policy, Known & { node: Allocatable; beyond: Beyond[] }>();

type Known = Pick<Ledger, 'entries' | 'recovered'>;

/**
 * As `beyondPolicy`, of a ledger, which is not changed in place either. Where nothing was beyond a policy, nothing will be: what it
 * grants since then it leaves, and time only ends rights. But it was not asked about what a lost ledger takes back.
 */
export function beyondIn({ entries, recovered }: Known, policy: Policy, node: Allocatable, now: number): Beyond[] {
  const last = found.get(policy);
  const isOfThese = last?.node === node && last.recovered === recovered;
  if (isOfThese && (last.beyond.length === 0 || last.entries === entries)) return last.beyond;
  const beyond = beyondPolicy(entries, policy, node, now);
  found.set(policy, { node, entries, ...(recovered && { recovered }), beyond });
  return beyond;
}

/** Takes them back, in place; what is split from one that goes is judged as a right of its own. */
export function evict(byUid: Map<string, Entry>, policy: Policy, node: Allocatable, now: number): Decision[] {
  const decisions: Decision[] = [];
  for (;;) {
    const before = [...byUid.values()];
    const beyond = beyondPolicy(before, policy, node, now);
    if (beyond.length === 0) return decisions;
    for (const { entry, message: why } of beyond) {
      const { uid, namespace, name, grant, refusal } = entry;
      const message = `the node's owner offers less than was granted and took it back: ${why}`;
      const reason = CapabilityReason.Evicted;
      // a refused edit stays refused: its generation is the newer one
      const generation = Math.max(grant.generation, refusal?.generation ?? 0);
      byUid.set(uid, { uid, namespace, name, refusal: { generation, reason, message, time: now } });
      decisions.push({ event: 'evicted', uid, namespace, name, grant, reason, message });
    }
    relink(byUid, before);
  }
}

function poolsOf(granted: readonly Granted[], policy: Policy, node: Allocatable, now: number): Pool[] {
  const all = new Map(granted.map((entry) => [entry.uid, entry]));
  const pool = (of: string, limit: Amount, held: readonly [string, Grant][]): Pool => {
    const takes = new Map(
      held.map(([uid, grant]) => {
        const ports = grant.amounts.ports.length;
        return [uid, { period: grant.period, amount: { ...taken(grant), ports } }];
      }),
    );
    const periods = held.map(([, { period }]) => period);
    return { sums: new GrowingSums(periods, now), takes, limit, of };
  };
  const books = offered({ ...policy, cap: undefined }, node, 0);
  const every = granted.map(({ uid, grant }): [string, Grant] => [uid, grant]);
  const pools = [pool('that are offered now', { ...books }, every)];
  const { reserved } = policy;
  if (reserved) {
    const isOther = (namespace: string): boolean => !reserved.namespaces.has(namespace);
    const held = granted.flatMap((one) =>
      heldBy([one], all, isOther).map((grant): [string, Grant] => [one.uid, grant]),
    );
    pools.push(pool('that are not reserved for others', { ...offeredToOthers(books, reserved) }, held));
  }
  for (const [namespace, own] of Map.groupBy(granted, (entry) => entry.namespace)) {
    const held = own.flatMap((one) => heldIn([one], all, namespace).map((grant): [string, Grant] => [one.uid, grant]));
    const { shares, ports } = budgetOf(policy, namespace);
    pools.push(pool(`that namespace ${namespace} may have`, { shares, ports }, held));
  }
  return pools;
}

function ofKind(entry: Granted, policy: Policy): Refused | undefined {
  const { uid, namespace, name, grant } = entry;
  for (const rule of RULES_OF_KIND) {
    const refused = rule({ uid, namespace, name, from: undefined, ...grant }, { policy });
    if (refused) return refused;
  }
  return undefined;
}

function tooMuch({ uid }: Granted, pools: readonly Pool[]): Refused | undefined {
  for (const { sums, takes, limit, of } of pools) {
    const wanted = takes.get(uid);
    for (const [kind, reason, format] of wanted ? COUNTED : []) {
      const [much = 0, most] = [wanted!.amount[kind], limit[kind]];
      if (much === 0 || most === undefined) continue;
      const older = sums.peak(wanted!.period, kind);
      if (older + much <= most) continue;
      const left = format(Math.max(0, most - older));
      const message = `it has ${format(much)}, and older rights leave ${left} of ${format(most)} ${kind} ${of}`;
      return { reason, message };
    }
  }
  return undefined;
}

function take({ sums, takes }: Pool, { uid }: Granted): void {
  const wanted = takes.get(uid);
  if (wanted) sums.add(wanted.period, wanted.amount);
}
