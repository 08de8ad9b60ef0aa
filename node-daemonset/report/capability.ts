/** What the node says of one rcap. */
import {
  CapabilityCondition as Type,
  CapabilityReason as Reason,
  type Condition,
  setCondition,
} from '../../crds/conditions.ts';
import { formatRate } from '../../crds/quantity.ts';
import { type Amounts, toRspec } from '../../crds/rspec.ts';
import { sayWhoSuspends } from '../../crds/text.ts';
import type { AppliedSuspension, ResourceCapability, ResourceCapabilityStatus, Window } from '../../crds/types.ts';
import { formatInstant } from '../admission/ask.ts';
import type { Entry, Grant, Period } from '../admission/ledger.ts';
import type { BudgetVerdict } from '../budget/plan.ts';
import type { PodRecord } from '../pods.ts';
import type { Problem } from '../sliver.ts';

export interface CapabilityFacts {
  rcap: ResourceCapability;
  entry: Entry;
  nodeUID: string;
  /** The pod that holds the right; undefined where none does. */
  pod: PodRecord | undefined;
  /** What enforcers could not keep for it, or for the whole node. */
  problems: readonly Problem[];
  /** Why the right gives nothing at this instant; undefined where it holds. */
  whyNot: string | undefined;
  /** The blackout in which it pauses, for people. */
  blackout?: string | undefined;
  /** Who suspends its slice, for people. */
  suspenders?: readonly string[];
  /** The rights whose holders do, whether anything runs by this one or not. */
  suspendedBy?: readonly AppliedSuspension[];
  /** What its own sliver may use of it now (undefined: too little is left), and the right that it is part of. */
  split: { left: Amounts | undefined; from: string | undefined };
  /** What its budget of bytes makes of the pod; undefined where it has none. */
  budget?: Pick<BudgetVerdict, 'reason' | 'message'> | undefined;
  now: number;
}

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

/** A pod is told to have no address only after it had time to get one. */
const ADDRESS_MS = 10_000;

/** Problems that concern the node's own traffic and its books, not what this sliver gets among slivers. */
const NOT_OURS: ReadonlySet<string> = new Set([
  'LineUnknown',
  'SystemdNotTold',
  'PortsUnknown',
  'FlowsNotCounted',
  'BridgeNotGuarded',
  'ConnectionsNotBounded',
  'AuditNotSaved',
  'BudgetNotSaved',
]);

/** The whole status. Pure; `lastTransitionTime` is taken over from the rcap as it is. */
export function planCapabilityStatus(facts: CapabilityFacts): ResourceCapabilityStatus {
  const { rcap, entry, nodeUID, suspendedBy = [], now } = facts;
  const answered = Math.max(entry.grant?.generation ?? 0, entry.refusal?.generation ?? 0);
  // what is refused for good is so for generations to come
  const generation = Math.min(answered, Math.max(rcap.metadata.generation ?? answered, entry.grant?.generation ?? 0));
  const verdicts: [string, Verdict][] = [
    [Type.Granted, granted(entry)],
    [Type.Bound, bound(entry.grant)],
    [Type.Enforced, enforced(facts)],
  ];
  let conditions = rcap.status?.conditions ?? [];
  for (const [type, verdict] of [[Type.Ready, ready(verdicts, facts)] as [string, Verdict], ...verdicts]) {
    conditions = setCondition(conditions, { type, ...verdict, observedGeneration: generation }, new Date(now));
  }
  conditions = withBudget(conditions, facts, generation);
  return {
    observedGeneration: generation,
    ...(entry.grant && { granted: grantStatus(entry.grant, nodeUID, facts.split) }),
    ...(suspendedBy.length > 0 && { suspendedBy: [...suspendedBy] }),
    conditions,
  };
}

/** The condition is there as long as the budget is. */
function withBudget(
  conditions: Condition[],
  { budget, now }: CapabilityFacts,
  observedGeneration: number,
): Condition[] {
  if (!budget) return conditions.filter(({ type }) => type !== Type.WithinBudget);
  const verdict =
    budget.reason === Reason.WithinBudget ? yes(budget.reason, budget.message) : no(budget.reason, budget.message);
  return setCondition(conditions, { type: Type.WithinBudget, ...verdict, observedGeneration }, new Date(now));
}

/** What the condition Granted says of an entry. */
export function granted({ grant, refusal }: Entry): Verdict {
  if (!grant) {
    return no(refusal?.reason ?? Reason.NotGranted, refusal?.message ?? '');
  }
  if (refusal) {
    return yes(
      Reason.ResizeDenied,
      `the edit is refused and the old grant holds: ${refusal.reason}: ${refusal.message}`,
    );
  }
  const { shares, egressGuarantee, egressLimit } = grant.amounts;
  const what = `${shares} shares, ${formatRate(egressGuarantee)} guaranteed, ${formatRate(egressLimit)} at most`;
  return yes(Reason.Granted, what + periodInWords(grant.period));
}

function bound(grant: Grant | undefined): Verdict {
  if (!grant) return no(Reason.NotGranted, 'there is nothing to bind');
  if (grant.sliceName) return yes(Reason.Bound, `bound to slice ${grant.sliceName}`);
  return no(Reason.NotBound, 'no slice may use it yet: set spec.sliceName');
}

function enforced({ entry, pod, problems, whyNot, suspenders = [], now }: CapabilityFacts): Verdict {
  if (!entry.grant)
    return no(Reason.NotGranted, pod ? `pod ${pod.name} has no right and is held down` : 'there is no right');
  if (!pod) return no(Reason.NoPod, 'no pod has asked for its volume');
  const by = suspenders.length > 0 ? `: suspended by ${suspenders.join('; by ')}` : '';
  if (whyNot) return no(whyNot, `pod ${pod.name} has no right now and is held down${by}`);
  const problem = problems.find(({ reason }) => !NOT_OURS.has(reason));
  if (problem) {
    const known = Object.values<string>(Reason).includes(problem.reason);
    const reason = known ? problem.reason : Reason.EnforcementFailed;
    return no(reason, known ? problem.message : `${problem.reason}: ${problem.message}`);
  }
  if (pod.addresses.length === 0 && pod.amounts.network === 'Pod') {
    if (now - pod.publishedAt < ADDRESS_MS) return no(Reason.NoPod, 'no pod has asked for its volume');
    return no(Reason.NoAddress, `pod ${pod.name} has no address of its own: its egress can't be told from the node's`);
  }
  return yes(Reason.Enforced, `the kernel holds pod ${pod.name} to it`);
}

/** What others end, or time does: nothing is wrong with the pod. */
const AWAITED: ReadonlySet<string> = new Set([
  Reason.WindowNotOpen,
  Reason.Blackout,
  Reason.Suspended,
  Reason.GivenAway,
]);

/** The first thing that is missing is the reason. */
function ready(
  verdicts: readonly [string, Verdict][],
  { whyNot, blackout, suspenders = [] }: CapabilityFacts,
): Verdict {
  const missing = verdicts.find(([, verdict]) => verdict.status !== 'True');
  if (missing?.[0] === Type.Enforced && whyNot !== undefined && AWAITED.has(whyNot)) {
    const gone =
      'what is split from the right leaves less than 1 share or 1 kbit/s, or no memory or disk, for a sliver';
    if (suspenders.length > 0) return no(whyNot, sayWhoSuspends(suspenders));
    if (blackout !== undefined) return no(whyNot, blackout);
    return no(whyNot, whyNot === Reason.GivenAway ? gone : 'the right does not hold now');
  }
  if (missing) return no(missing[1].reason, missing[1].message);
  return yes(Reason.Enforced, verdicts.at(-1)![1].message);
}

function grantStatus(
  grant: Grant,
  nodeUID: string,
  { left, from }: CapabilityFacts['split'],
): NonNullable<ResourceCapabilityStatus['granted']> {
  const window = windowOf(grant.period);
  return {
    nodeUID,
    observedGeneration: grant.generation,
    time: formatInstant(grant.time),
    ...(grant.sliceName && { sliceName: grant.sliceName }),
    ...(from !== undefined && { from }),
    resources: toRspec(grant.amounts),
    ...(left && left !== grant.amounts && { left: toRspec(left) }),
    ...(!left && { givenAway: true }),
    ...(window && { window }),
  };
}

export function windowOf({ start, end }: Period): Window | undefined {
  if (start === undefined && end === undefined) return undefined;
  return {
    ...(start !== undefined && { start: formatInstant(start) }),
    ...(end !== undefined && { end: formatInstant(end) }),
  };
}

function periodInWords({ start, end }: Period): string {
  const from = start === undefined ? '' : ` from ${formatInstant(start)}`;
  return from + (end === undefined ? '' : ` until ${formatInstant(end)}`);
}

function yes(reason: string, message: string): Verdict {
  return { status: 'True', reason, message };
}

function no(reason: string, message: string): Verdict {
  return { status: 'False', reason, message };
}
