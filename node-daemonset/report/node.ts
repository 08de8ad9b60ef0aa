/** What the node says of itself: what it offers, has granted and has left. */
import { type Condition, NodeCondition as Type, NodeReason as Reason, setCondition } from '../../crds/conditions.ts';
import { binaryQuantity, decimalQuantity } from '../../crds/quantity.ts';
import type { NodeBooks, PublishedPage, ServedSensor, SliceNode, SliceNodeStatus } from '../../crds/types.ts';
import { type Books, type Grant, grantsOf, holdsAt, type Ledger, peak, sumsAt } from '../admission/ledger.ts';
import type { Problem } from '../sliver.ts';

export interface NodeFactsReported {
  sliceNode: SliceNode;
  ledger: Ledger;
  /** undefined before the Node or its policy is known. */
  offered: Books | undefined;
  /** What is wrong with the owner's policy. */
  policyProblem: string | undefined;
  problems: readonly Problem[];
  attributes: Record<string, string>;
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
  const verdicts: [string, Verdict][] = [
    [Type.Ready, ready(facts)],
    [Type.LineKnown, lineKnown(facts.problems)],
    [Type.WithinOffer, withinOffer(ahead, offered)],
  ];
  let conditions = sliceNode.status?.conditions ?? [];
  for (const [type, verdict] of verdicts) conditions = setCondition(conditions, { type, ...verdict }, new Date(now));
  return {
    ...(offered && { offered: books(offered) }),
    granted: { ...books(granted), ports: portsAt(grantsOf(ledger), now) },
    ...(free && { free: books(free) }),
    ...(address !== undefined && { address }),
    ...(auditPage && { auditPage }),
    ...(sensorPage && { sensorPage }),
    ...(sensors?.length && { sensors: [...sensors] }),
    attributes,
    versions,
    conditions,
  };
}

function ready({ offered, policyProblem, problems }: NodeFactsReported): Verdict {
  if (policyProblem) {
    return { status: 'False', reason: Reason.PolicyInvalid, message: `the last valid policy holds: ${policyProblem}` };
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
  return { status: 'True', reason: Reason.Ready, message: 'rights are granted and enforced' };
}

function lineKnown(problems: readonly Problem[]): Verdict {
  const unknown = problems.find(({ reason }) => reason === 'LineUnknown');
  if (unknown) return { status: 'False', reason: Reason.LineUnknown, message: unknown.message };
  return { status: 'True', reason: Reason.LinesKnown, message: 'the rate of every line is known' };
}

function withinOffer(ahead: Books, offered: Books | undefined): Verdict {
  const over = offered && (Object.keys(ahead) as (keyof Books)[]).filter((kind) => ahead[kind] > offered[kind]);
  if (!over?.length) return { status: 'True', reason: Reason.WithinOffer, message: 'what is granted is offered' };
  const what = over.map((kind) => `${kind} ${ahead[kind]} of ${offered![kind]}`).join(', ');
  const message = `more was granted than is offered now (${what}): nothing of that kind is granted until rights end`;
  return { status: 'False', reason: Reason.Overcommitted, message };
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
