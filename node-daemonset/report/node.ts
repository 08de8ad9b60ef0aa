/** What the node says of itself: what it offers, has granted and has left. */
import { type Condition, NodeCondition as Type, NodeReason as Reason, setCondition } from '../../crds/conditions.ts';
import { binaryQuantity, decimalQuantity } from '../../crds/quantity.ts';
import type { NodeBooks, PublishedPage, ServedSensor, SliceNode, SliceNodeStatus } from '../../crds/types.ts';
import { type Books, type Grant, grantsOf, holdsAt, type Ledger, peak, sumsAt } from '../admission/ledger.ts';
import type { Beyond } from '../admission/beyond.ts';
import type { Policy } from '../admission/policy.ts';
import { offeredToOthers } from '../admission/reserve.ts';
import { heldBy } from '../admission/split.ts';
import { KINDS } from '../admission/tight.ts';
import { MOST_SUSPENDED, type Order, type Orders } from '../owner/orders.ts';
import type { Problem } from '../sliver.ts';
import { blackoutAt } from '../standing.ts';

export interface NodeFactsReported {
  sliceNode: SliceNode;
  ledger: Ledger;
  /** undefined before the Node or its policy is known. */
  offered: Books | undefined;
  policy: Policy | undefined;
  /** What of the ledger the policy would not leave, the youngest first. */
  beyond: readonly Beyond[];
  /** What is wrong with the owner's policy. */
  policyProblem: string | undefined;
  /** Of the SliceNode's spec that the policy is of; undefined where none was heard. */
  generation?: number | undefined;
  problems: readonly Problem[];
  attributes: Record<string, string>;
  /** What the owner says on the node itself. */
  orders: Orders;
  /** Where the node's page is; undefined where it publishes none. */
  auditPage?: PublishedPage | undefined;
  /** An address by which others reach the node. */
  address?: string | undefined;
  /** Where its sensors are published, and the Sensors that it serves. */
  sensorPage?: PublishedPage | undefined;
  sensors?: readonly ServedSensor[] | undefined;
  versions: { nodeManager: string; kernel: string };
  now: number;
}

/** A node's books at one instant. */
export interface Accounts {
  offered: Books | undefined;
  /** Now. */
  granted: Books;
  /** The most of each kind that is granted from now on at any instant. */
  ahead: Books;
  /** What every instant from now on leaves of the offer. */
  free: Books | undefined;
}

/** Pure. */
export function accounts(ledger: Ledger, offered: Books | undefined, now: number): Accounts {
  const grants = grantsOf(ledger);
  const ahead = peak(grants, { start: now, end: undefined });
  const free = offered && each(offered, (amount, kind) => Math.max(0, amount - ahead[kind]));
  return { offered, granted: sumsAt(grants, now), ahead, free };
}

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

/** The part of the status that is ours; `status.node` is the operator's. Pure. */
export function planNodeStatus(facts: NodeFactsReported): SliceNodeStatus {
  const { sliceNode, ledger, offered, now, attributes, address, auditPage, sensorPage, sensors, versions } = facts;
  const { granted, ahead, free } = accounts(ledger, offered, now);
  const others = freeToOthers(facts, free);
  const verdicts: [string, Verdict][] = [
    [Type.Ready, ready(facts)],
    [Type.LineKnown, lineKnown(facts.problems)],
    [Type.WithinOffer, withinOffer(ahead, facts)],
  ];
  const observed = facts.generation !== undefined && { observedGeneration: facts.generation };
  let conditions = sliceNode.status?.conditions ?? [];
  for (const [type, verdict] of verdicts)
    conditions = setCondition(conditions, { type, ...verdict, ...observed }, new Date(now));
  return {
    ...observed,
    ...(offered && { offered: books(offered) }),
    granted: { ...books(granted), ports: portsAt(grantsOf(ledger), now) },
    ...(free && { free: books(free) }),
    ...(others && { freeToOthers: books(others) }),
    ...ordersOf(facts.orders),
    ...(address !== undefined && { address }),
    ...(auditPage && { auditPage }),
    ...(sensorPage && { sensorPage }),
    ...(sensors?.length && { sensors: [...sensors] }),
    attributes,
    versions,
    conditions,
  };
}

function ready({ offered, policy, policyProblem, problems, now }: NodeFactsReported): Verdict {
  if (policyProblem) {
    const unknown = problems.find(({ reason }) => reason === 'PolicyUnknown');
    const message = !policy && unknown ? unknown.message : `the last valid policy holds: ${policyProblem}`;
    return { status: 'False', reason: Reason.PolicyInvalid, message };
  }
  if (!offered) {
    const message = 'the operator has not said yet what the Node can allocate';
    return { status: 'False', reason: Reason.WaitingForNode, message };
  }
  const busy = problems.find(({ reason }) => reason === 'UplinkBusy');
  if (busy) return { status: 'False', reason: Reason.UplinkBusy, message: busy.message };
  // A sliver's own problem is told by its rcap.
  const failed = problems.find(({ sliver, reason }) => sliver === undefined && reason !== 'LineUnknown');
  if (failed) {
    return { status: 'False', reason: Reason.EnforcementFailed, message: `${failed.reason}: ${failed.message}` };
  }
  const blackout = blackoutAt(policy?.blackouts ?? [], now);
  const message =
    blackout === undefined ? 'rights are granted and enforced' : `rights are kept, and pause: ${blackout}`;
  return { status: 'True', reason: Reason.Ready, message };
}

function lineKnown(problems: readonly Problem[]): Verdict {
  const unknown = problems.find(({ reason }) => reason === 'LineUnknown');
  if (unknown) return { status: 'False', reason: Reason.LineUnknown, message: unknown.message };
  return { status: 'True', reason: Reason.LinesKnown, message: 'the rate of every line is known' };
}

function withinOffer(ahead: Books, { offered, policy, beyond }: NodeFactsReported): Verdict {
  const over = offered && KINDS.filter(([kind]) => ahead[kind] > offered[kind]);
  const reason = Reason.Overcommitted;
  if (!over?.length && beyond.length > 0) {
    const [first] = beyond.map(({ entry, message }) => `${entry.namespace}/${entry.name}: ${message}`);
    const message = `${inNumber(beyond.length)} the owner's policy would not grant now, kept until ${beyond.length > 1 ? 'their windows end' : 'its window ends'}: ${first}`;
    return { status: 'False', reason, message };
  }
  if (!over?.length) return { status: 'True', reason: Reason.WithinOffer, message: 'what is granted is offered' };
  const what = over.map(([kind, , format]) => `${kind} ${format(ahead[kind])} of ${format(offered![kind])}`).join(', ');
  const message = `more was granted than is offered now (${what}): nothing of that kind is granted until rights end`;
  const would = beyond.length > 0 && !policy?.evict ? `; evict would take back ${inNumber(beyond.length)}` : '';
  return { status: 'False', reason, message: message + would };
}

function ordersOf({ cap, suspended }: Orders): Pick<SliceNodeStatus, 'orders'> {
  if (!cap && suspended.length === 0) return {};
  const shown = suspended
    .slice(0, MOST_SUSPENDED)
    .map(({ namespace, slice, ...order }) => ({ namespace, ...(slice !== undefined && { slice }), ...said(order) }));
  return {
    orders: {
      ...(cap && { cap: { egressLimit: decimalQuantity(cap.egressLimit), ...said(cap) } }),
      ...(shown.length > 0 && { suspended: shown }),
    },
  };
}

/** A 1.20 server takes an empty text for null, and refuses all of the status. */
function said({ since, reason }: Order): Partial<Order> {
  return { ...(since !== '' && { since }), ...(reason !== '' && { reason }) };
}

function inNumber(rights: number): string {
  return rights === 1 ? '1 right' : `${rights} rights`;
}

/** What those for whom nothing is reserved may still have; undefined where nothing is kept from them. */
function freeToOthers({ ledger, offered, policy, now }: NodeFactsReported, free: Books | undefined): Books | undefined {
  const { reserved } = policy ?? {};
  if (!reserved || !offered || !free) return undefined;
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  const held = heldBy(ledger.entries, entries, (namespace) => !reserved.namespaces.has(namespace));
  const ahead = peak(held, { start: now, end: undefined });
  const limits = offeredToOthers(offered, reserved);
  return each(free, (amount, kind) => Math.max(0, Math.min(amount, limits[kind] - ahead[kind])));
}

function books(of: Books): NodeBooks {
  const { shares, egress, memory, disk, pods } = of;
  const sizes = { memory: binaryQuantity(memory), disk: binaryQuantity(disk) };
  return { shares, egress: decimalQuantity(egress), ...sizes, pods };
}

function portsAt(grants: readonly Grant[], now: number): number {
  return grants
    .filter(({ period, parent }) => parent === undefined && holdsAt(period, now))
    .reduce((sum, { amounts }) => sum + amounts.ports.length, 0);
}

function each(of: Books, change: (amount: number, kind: keyof Books) => number): Books {
  return Object.fromEntries(
    Object.entries(of).map(([kind, amount]) => [kind, change(amount, kind as keyof Books)]),
  ) as unknown as Books;
}
