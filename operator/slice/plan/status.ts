/** The status of a slice: counts, the first few refusals, and three conditions that a person can act on. */
import { setCondition, SliceCondition, SliceReason, type Condition } from '../../../crds/conditions.ts';
import type { Denial, Slice, SliceStatus, SliverSuspension } from '../../../crds/types.ts';
import { isDeleting, type KubeObject } from '../../kinds.ts';
import { shown, told } from '../../restraint/applied.ts';
import { isSuspendedByHolder, shownSuspensions, toldSuspension } from '../../restraint/rights.ts';
import type { Refusal } from './accept.ts';
import { asking, inFull } from './asked.ts';
import { allocatedVerdict } from './allocated.ts';
import { suspendedBound } from './bound.ts';
import type { SliceInput } from './input.ts';
import { observe, type Observed, pauseOf } from './observe.ts';
import { no, sayLost, type Verdict, yes } from './verdict.ts';
import type { Withheld } from './withhold.ts';
import { first, list, plural } from './wording.ts';
import { cut } from '../../../crds/text.ts';

/** A write that the API server, or somebody's policy, refused. */
export interface Failure {
  node: string | undefined;
  /** What was refused, the object, and what was answered. */
  message: string;
}

export interface StatusInput {
  input: SliceInput;
  refusal: Refusal | undefined;
  placing: { wanted: number; matching: number };
  taken: readonly KubeObject[];
  /** What is not asked of nodes though the slice wants it. */
  withheld: Withheld;
  failures: readonly Failure[];
  /** For a slice that is being deleted: what is still there. */
  waitingFor: readonly string[];
}

const MAX_DENIALS = 5;
/** Conditions of others that are kept. */
const MAX_OTHERS = 8;

export function planStatus(of: StatusInput, now: number): SliceStatus {
  const { slice } = of.input;
  const suspended = [...new Set([...of.input.capabilities, ...suspendedBound(of.input, now)])].filter(
    isSuspendedByHolder,
  );
  const { slivers, absent } = observe(of.input, suspended);
  const suspendedBy = shownSuspensions(suspended);
  const denials = slivers.filter(({ denial }) => denial).map(({ node, denial }): Denial => ({ node, ...denial! }));
  const accepted = acceptedVerdict(of);
  const allocated = allocatedVerdict(of, slivers, now);
  const ready = readyVerdict(of, slivers, absent, suspendedBy, accepted, allocated, now);
  const observedGeneration = slice.metadata.generation;
  const verdicts: [string, Verdict][] = [
    [SliceCondition.Ready, ready],
    [SliceCondition.Accepted, accepted],
    [SliceCondition.Allocated, allocated],
  ];
  const conditions = verdicts.map(([type, verdict]) => {
    const set = setCondition(slice.status?.conditions, { type, ...verdict, observedGeneration }, new Date(now));
    return set.find((condition) => condition.type === type)!;
  });
  return {
    observedGeneration,
    nodes: {
      // how many a spec asks for that is not acted on is not known: what was wanted before stays as it is
      wanted: isLeftAlone(of.refusal) ? (slice.status?.nodes?.wanted ?? 0) : of.placing.wanted,
      granted: count(slivers, ({ standing }) => standing === 'granted'),
      denied: denials.length,
      running: count(slivers, ({ running }) => running),
      upToDate: count(slivers, ({ upToDate }) => upToDate),
    },
    // what is wrong with a spec that is refused may be its numbers, and nobody looked at that of a slice that ends
    ...(of.refusal?.reason !== SliceReason.InvalidSpec && !isDeleting(slice) && asksOf(of.input)),
    ...(denials.length > 0 && {
      denials: denials.slice(0, MAX_DENIALS).map((one) => ({ ...one, message: cut(one.message, 1024) })),
    }),
    ...(of.input.restraints.length > 0 && { restraints: shown(of.input.restraints) }),
    ...(suspendedBy.length > 0 && { suspendedBy }),
    conditions: [...conditions, ...othersConditions(slice)],
  };
}

/**
 * Conditions that others write, such as brokers. They are part of what we write: to a 1.20 server the conditions are one field,
 * which has one owner, whatever the schema says of lists.
 */
export function othersConditions({ status }: Slice): Condition[] {
  return (status?.conditions ?? []).filter(({ type }) => !Object.hasOwn(SliceCondition, type)).slice(0, MAX_OTHERS);
}

/** Refused without consequences for what there is: only a window that is over has them. */
function isLeftAlone(refusal: Refusal | undefined): boolean {
  return refusal !== undefined && refusal.reason !== SliceReason.WindowPast;
}

function acceptedVerdict({ input, refusal, taken }: StatusInput): Verdict {
  if (isDeleting(input.slice)) return no(SliceReason.Deleting, 'the Slice is being deleted');
  if (refusal) return no(refusal.reason, refusal.message);
  if (taken.length > 0) {
    const names = taken.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const message = `not made by this Slice and left alone: ${first(names)}; delete it or rename the Slice`;
    return no(SliceReason.NameTaken, message);
  }
  return yes(SliceReason.Accepted, 'the spec is acted on');
}

/** What a sliver asks for in the long form, and where that is overridden. */
function asksOf({ slice, capabilities, nodes, brokering }: SliceInput): Pick<SliceStatus, 'resources' | 'overrides'> {
  const { broker, overrides, resources, share } = slice.spec;
  // another broker binds what it likes: defaults that nobody asks with would be told of a sliver that has more
  const isAsked = (brokering && broker === undefined) || resources !== undefined || share !== undefined;
  const asks = isAsked ? { resources: inFull(slice) } : {};
  if (overrides === undefined) return asks;
  const counts = new Map(overrides.map(({ name }) => [name, 0]));
  const askedOn = asking(slice);
  for (const { spec } of capabilities.filter((one) => !isDeleting(one))) {
    const node = nodes.get(spec.nodeName);
    for (const name of node?.uid === undefined ? [] : askedOn(node).overrides) counts.set(name, counts.get(name)! + 1);
  }
  return { ...asks, overrides: [...counts].map(([name, slivers]) => ({ name, slivers })) };
}

function readyVerdict(
  { input, refusal, failures, placing: { wanted }, waitingFor }: StatusInput,
  slivers: readonly Observed[],
  absent: readonly string[],
  suspendedBy: readonly SliverSuspension[],
  accepted: Verdict,
  allocated: Verdict,
  now: number,
): Verdict {
  const { suspended, window } = input.slice.spec;
  const suspenders = input.restraints.filter((one) => one.spec.suspended);
  if (accepted.reason === SliceReason.Deleting) {
    return no(SliceReason.Deleting, `waits for ${first(waitingFor)}`);
  }
  if (accepted.status === 'False') {
    const kept = isLeftAlone(refusal) ? count(slivers, (one) => one.running) : 0;
    const message =
      kept > 0 ? `${accepted.message}; what runs is left as it is (${plural(kept, 'sliver')})` : undefined;
    return no(accepted.reason, message ?? accepted.message);
  }
  const refused = failures.map(({ node, message }) => (node ? `${node}: ${message}` : message));
  if (suspended || suspenders.length > 0) {
    const holders = suspendedBy.map(toldSuspension);
    const by = first([...(suspended ? ['spec.suspended'] : []), ...suspenders.map(told), ...holders]);
    const owners = slivers.flatMap(({ node, owner }) => (owner === undefined ? [] : [`on ${node} ${owner}`]));
    const also = owners.length > 0 ? `; and ${first(owners)}` : '';
    return no(SliceReason.Suspended, `suspended by ${by}${also}: the rights are kept, the pods are not`);
  }
  if (window?.start && Date.parse(window.start) > now) {
    return no(SliceReason.WindowNotOpen, `the window opens at ${window.start}`);
  }
  const running = count(slivers, (one) => one.running);
  const sum = `${running} of ${wanted} running`;
  const lost = slivers.filter((one) => one.lost);
  if (refused.length > 0) return no(SliceReason.PodsFailing, `${sum}; ${first(refused)}`);
  if (lost.length > 0) return no(SliceReason.NodeLost, `${sum}; ${first(lost.map(sayLost))}`);
  const held = slivers.filter((one) => one.suspended);
  if (held.length > 0) {
    return no(SliceReason.Suspended, `${sum}; ${first(held.map(({ node, suspended }) => `${node}: ${suspended}`))}`);
  }
  const problems = slivers.filter(({ problem }) => problem).map(({ node, problem }) => `${node}: ${problem}`);
  if (problems.length > 0) return no(SliceReason.PodsFailing, `${sum}; ${first(problems)}`);
  const pause = pauseOf(slivers);
  if (pause) return no(pause.reason, `${sum}; ${first(pause.slivers)}`);
  if (allocated.status === 'False') return no(allocated.reason, allocated.message);
  const current = count(slivers, (one) => one.upToDate);
  if (running < wanted) {
    const waits = slivers.filter((one) => !one.running && one.progress).map((one) => `${one.node} ${one.progress}`);
    const reason = current < slivers.length && running > 0 ? SliceReason.Updating : SliceReason.Starting;
    return no(reason, waits.length > 0 ? `${sum}; ${first(waits)}` : sum);
  }
  if (current < wanted) return no(SliceReason.Updating, `${sum}; ${current} of ${wanted} up to date`);
  const kept = absent.length > 0 ? `; rights are kept for ${list(absent)}, whose Node is gone` : '';
  return yes(SliceReason.AllRunning, `${sum}${kept}`);
}

function count(slivers: readonly Observed[], test: (one: Observed) => boolean): number {
  return slivers.filter(test).length;
}
