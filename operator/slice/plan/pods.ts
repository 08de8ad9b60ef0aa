/** The sliver pods: which to make, which to end, and how many may be down meanwhile. */
import { LABEL_TEMPLATE, podName } from '../../../crds/names.ts';
import type { ResourceCapability, Rspec, UpdateStrategy } from '../../../crds/types.ts';
import { holds, isDeleting, refOf, type KubeObject, type Pod } from '../../kinds.ts';
import { attemptOf, earliest, retryAt } from './backoff.ts';
import { isSuspended } from '../../restraint/applied.ts';
import { isSuspendedByHolder } from '../../restraint/rights.ts';
import { suspendedBound } from './bound.ts';
import { isOpen } from './eligible.ts';
import { grantOf, isJudged, leftOf, standing } from './grant.ts';
import { nameKey, type Effect, type NodeState, type RemoveReason, type SliceInput } from './input.ts';
import { mustNotBeRoot, sliverPod, templateHash } from './podspec.ts';

export interface PodPlan {
  effects: Effect[];
  /** Somebody else's pods under names that we would have given. */
  taken: KubeObject[];
  /** When something is due that no event announces, in ms since the epoch. */
  wakeAt: number | undefined;
}

/** A sliver that ought to run, with what is there of it. */
interface Sliver {
  capability: ResourceCapability;
  /** What was granted, less what is split from it. */
  granted: Rspec;
  node: NodeState;
  pod: Pod | undefined;
  hash: string;
  /** The node has judged what is asked for now; until then a new pod might be outdated the next moment. */
  settled: boolean;
}

/** A pod that was down this long ago is down, however far the cache is behind. */
const IDLE_MS = 10_000;

/** What the other plans have decided for the pods. */
export interface PodTerms {
  /** False while what the pods need is not there yet. */
  mayCreate: boolean;
  /** Uids of the rights whose spec is being edited. */
  renewing: ReadonlySet<string>;
}

/** One pod for every right that holds now. */
export function planPods(input: SliceInput, { mayCreate, renewing }: PodTerms, now: number): PodPlan {
  const plan: PodPlan = { effects: [], taken: [], wakeAt: undefined };
  const wanted: Sliver[] = [];
  const suspended = new Set(suspendedBound(input, now).map(({ spec }) => spec.nodeName));
  for (const capability of input.capabilities) {
    if (isDeleting(capability)) continue; // its pod goes with it
    const pod = input.pods.get(podName(capability.metadata.name));
    const why = mustEnd(input, capability, suspended, now);
    if (why === undefined) {
      const sliver = sliverOf(input, capability, pod, renewing);
      if (sliver) wanted.push(sliver);
    } else if (why !== 'Waiting' && pod && !isDeleting(pod)) {
      plan.effects.push(removal(pod, capability, why));
    }
    plan.wakeAt = earliest(plan.wakeAt, nextChange(capability, now));
  }
  for (const sliver of wanted) planOne(input, sliver, mayCreate, now, plan);
  const limit = maxUnavailable(input.slice.spec.update, wanted.length);
  if (mayCreate) roll(wanted, limit, now, plan);
  return plan;
}

/** Makes a missing pod, replaces a failed one. */
function planOne(input: SliceInput, sliver: Sliver, mayCreate: boolean, now: number, plan: PodPlan): void {
  const { capability, node, pod, granted } = sliver;
  if (!mayCreate || !sliver.settled || !isOpen(node) || !node.allocatable) return;
  const { slice, namespaceLabels } = input;
  const nonRoot = mustNotBeRoot(namespaceLabels);
  const podOf = (attempt: number) =>
    sliverPod({ slice, capability, granted, allocatable: node.allocatable!, nonRoot, attempt });
  if (!pod) {
    const other = input.taken.get(nameKey('Pod', podName(capability.metadata.name)));
    if (other) plan.taken.push(other);
    else plan.effects.push({ kind: 'create', object: podOf(0), node: node.name });
  } else if (isOver(pod) && !isDeleting(pod)) {
    const attempt = attemptOf(pod);
    const at = retryAt(attempt, endedAt(pod));
    if (at > now) plan.wakeAt = earliest(plan.wakeAt, at);
    // all its containers have ended, so there is nothing for the kubelet to confirm
    else
      plan.effects.push({ kind: 'replace', ref: refOf(pod), object: podOf(attempt + 1), now: true, node: node.name });
  }
}

/**
 * Ends pods of an older template. What has been down for a while costs nothing; of the others never more than the limit
 * allows to be down with those that are. A cache that lags is safe: the same pods, in order of their names, are chosen
 * from the same state, and a delete that is repeated is none. Nothing ends where nothing could be started in its place.
 */
function roll(slivers: readonly Sliver[], limit: number, now: number, plan: PodPlan): void {
  const down = slivers.filter((sliver) => !isUp(sliver)).length;
  const outdated = slivers
    .filter(({ pod, node, hash, settled }) => {
      const replaceable = settled && isOpen(node) && node.allocatable;
      return pod && replaceable && !isDeleting(pod) && !isOver(pod) && hashOf(pod) !== hash;
    })
    .sort((a, b) => (a.capability.metadata.name < b.capability.metadata.name ? -1 : 1));
  const idle = outdated.filter((sliver) => !isUp(sliver) && downSince(sliver.pod!) + IDLE_MS <= now);
  const running = outdated.filter(isUp).slice(0, Math.max(0, limit - down));
  for (const { pod, capability } of [...idle, ...running]) plan.effects.push(removal(pod!, capability, 'Outdated'));
  for (const sliver of outdated) {
    if (!isUp(sliver) && !idle.includes(sliver)) plan.wakeAt = earliest(plan.wakeAt, downSince(sliver.pod!) + IDLE_MS);
  }
}

/** How many of `wanted` slivers may be down at a time: at least 1, a percentage rounded up. */
export function maxUnavailable(update: UpdateStrategy | undefined, wanted: number): number {
  const given = String(update?.maxUnavailable ?? 1);
  const count = given.endsWith('%') ? Math.ceil((Number(given.slice(0, -1)) * wanted) / 100) : Number(given);
  return Math.max(1, count);
}

/** Why the right has no pod now; undefined: it has one. `suspended`: nodes where a right that is bound to the slice is. */
function mustEnd(
  input: SliceInput,
  capability: ResourceCapability,
  suspended: ReadonlySet<string>,
  now: number,
): RemoveReason | 'Waiting' | undefined {
  const node = input.nodes.get(capability.spec.nodeName);
  const state = standing(capability, node);
  if (state === 'denied') return 'NotGranted';
  if (state === 'expired') return 'Expired';
  if (input.slice.spec.suspended || isSuspended(input.restraints)) return 'Suspended';
  if (isSuspendedByHolder(capability) || suspended.has(capability.spec.nodeName)) return 'Suspended';
  // a node that came back has yet to grant the right anew: what runs there stays, nothing new is started
  if (state === 'pending') return 'Waiting';
  const granted = capability.status?.granted;
  if (granted && !leftOf(granted)) return 'GivenAway';
  const { start, end } = granted?.window ?? {};
  if (end && Date.parse(end) <= now) return 'Expired';
  return start && Date.parse(start) > now ? 'Waiting' : undefined;
}

function sliverOf(
  input: SliceInput,
  capability: ResourceCapability,
  pod: Pod | undefined,
  renewing: ReadonlySet<string>,
): Sliver | undefined {
  const grant = grantOf(capability);
  const granted = grant && leftOf(grant);
  const node = input.nodes.get(capability.spec.nodeName);
  // a Node that is gone must not use up what may be down: it may never come back
  if (!granted || node?.uid === undefined) return undefined;
  const hash = templateHash(input.slice, granted, mustNotBeRoot(input.namespaceLabels));
  const settled = isJudged(capability) && !renewing.has(capability.metadata.uid ?? '');
  return { capability, granted, node, pod, hash, settled };
}

/** The next instant at which the window opens or closes. */
export function nextChange(capability: ResourceCapability, now: number): number | undefined {
  const { start, end } = capability.status?.granted?.window ?? {};
  const instants = [start, end].filter((instant) => instant !== undefined).map((instant) => Date.parse(instant));
  return earliest(...instants.filter((instant) => instant > now));
}

function removal(pod: Pod, capability: ResourceCapability, why: RemoveReason): Effect {
  return { kind: 'remove', ref: refOf(pod), why, propagation: 'Background', node: capability.spec.nodeName };
}

/** Up: ready, not about to end, on a node that can be counted on. */
function isUp({ pod, node }: Sliver): boolean {
  return pod !== undefined && node.lost === undefined && isReady(pod);
}

export function isReady(pod: Pod): boolean {
  return !isDeleting(pod) && pod.status?.phase === 'Running' && holds(pod.status.conditions, 'Ready');
}

export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

export function hashOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[LABEL_TEMPLATE];
}

/** When the pod was last known to be up, or began. */
function downSince(pod: Pod): number {
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  return Date.parse(ready?.lastTransitionTime ?? '') || Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
}

function endedAt(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map((one) => Date.parse(one.state?.terminated?.finishedAt ?? ''));
  const created = Date.parse(pod.metadata.creationTimestamp ?? '');
  return Math.max(0, ...[created, ...ends].filter((instant) => Number.isFinite(instant)));
}
