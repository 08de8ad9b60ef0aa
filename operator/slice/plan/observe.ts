/** What has become of a slice's slivers, one by one: what its status counts and tells. */
import { CapabilityCondition, CapabilityReason, getCondition, isTrue, SliceReason } from '../../../crds/conditions.ts';
import { podName } from '../../../crds/names.ts';
import { ownersWord } from '../../../crds/text.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting, type Pod } from '../../kinds.ts';
import { shownSuspensions, toldSuspension } from '../../restraint/rights.ts';
import {
  grantedCondition,
  grantOf,
  grantProblem,
  isJudged,
  isResizeDenied,
  leftOf,
  standing,
  type Standing,
} from './grant.ts';
import type { NodeState, SliceInput } from './input.ts';
import { mustNotBeRoot, templateHash } from './podspec.ts';
import { hashOf, isReady } from './pods.ts';
import { excerpt } from './wording.ts';

export interface Observed {
  node: string;
  standing: Standing;
  /** The node has judged the present spec. */
  judged: boolean;
  /** Why the node refused the right or its change, and what it says. */
  denial: { reason: string; message: string } | undefined;
  /** The pod is ready and its node enforces its rights. */
  running: boolean;
  upToDate: boolean;
  /** Why the node can not be counted on. */
  lost: string | undefined;
  /** Why the pod does not run, for people; undefined where there is nothing to complain of. */
  problem: string | undefined;
  /** Who suspends it on its node: the node's owner, or the holder of a right. */
  suspended: string | undefined;
  /** Why the right is kept and gives nothing for a while: a reason of the Slice, and what the node says. */
  paused: { reason: string; message: string } | undefined;
  /** The node's owner, since when, and why, where he suspends it: beside others, or alone. */
  owner: string | undefined;
  /** What the pod is waiting for while all goes well. */
  progress: string | undefined;
}

/**
 * Slivers on nodes that there are, by name of the node; those of deleted Nodes are counted in `absent`. `suspended`: rights
 * of the slice that a holder suspends, also those that give it nothing otherwise.
 */
export function observe(
  input: SliceInput,
  suspended: readonly ResourceCapability[],
): { slivers: Observed[]; absent: string[] } {
  const slivers: Observed[] = [];
  const absent: string[] = [];
  for (const capability of input.capabilities) {
    const node = input.nodes.get(capability.spec.nodeName);
    if (isDeleting(capability)) continue;
    if (node?.uid === undefined) absent.push(capability.spec.nodeName);
    else slivers.push(observeOne(input, capability, node, suspended));
  }
  return { slivers: slivers.sort((a, b) => (a.node < b.node ? -1 : 1)), absent: absent.sort() };
}

function observeOne(
  input: SliceInput,
  capability: ResourceCapability,
  node: NodeState,
  suspended: readonly ResourceCapability[],
): Observed {
  const pod = input.pods.get(podName(capability.metadata.name));
  const state = standing(capability, node);
  const granted = grantOf(capability);
  const hash =
    granted && templateHash(input.slice, leftOf(granted) ?? granted.resources, mustNotBeRoot(input.namespaceLabels));
  const enforced = isTrue(capability.status?.conditions, CapabilityCondition.Ready);
  const up = pod !== undefined && isReady(pod);
  const paused = state === 'granted' ? pausedBy(capability) : undefined;
  const podSays = pod && !paused ? problemOf(pod, capability, up && !enforced) : undefined;
  return {
    node: node.name,
    standing: state,
    judged: isJudged(capability),
    denial: state === 'denied' || isResizeDenied(capability) ? denialOf(capability) : undefined,
    running: state === 'granted' && up && enforced && node.lost === undefined,
    upToDate: pod !== undefined && !isDeleting(pod) && hashOf(pod) === hash,
    lost: node.lost,
    problem: grantProblem(capability) ?? podSays,
    paused,
    suspended: state === 'granted' ? (suspensionOf(capability) ?? holderOf(node.name, suspended)) : undefined,
    owner: state === 'granted' ? ownerOf(capability) : undefined,
    progress: state === 'granted' ? progressOf(pod, node) : undefined,
  };
}

function denialOf(capability: ResourceCapability): { reason: string; message: string } {
  const { reason, message } = grantedCondition(capability)!;
  return { reason, message };
}

function progressOf(pod: Pod | undefined, node: NodeState): string {
  if (!pod && node.cordoned) return 'is cordoned, so nothing is started there';
  if (!pod && !node.allocatable) return 'waits for its SliceNode';
  if (!pod) return 'waits for its pod';
  if (isDeleting(pod)) return 'waits for its former pod to end';
  if (!pod.spec.nodeName) return 'waits for the scheduler';
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  return waiting ? `is at ${waiting}` : 'is starting';
}

function problemOf(pod: Pod, capability: ResourceCapability, unenforced: boolean): string | undefined {
  return podProblem(pod) ?? (unenforced ? enforcementProblem(capability) : undefined);
}

/** Reasons that a container waits for in the normal course of things. */
const NORMAL: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

/** What keeps a pod from running, in the kubelet's or the scheduler's words. */
export function podProblem(pod: Pod): string | undefined {
  if (isDeleting(pod)) return undefined;
  const { phase, reason, message, conditions, containerStatuses } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded')
    return say(reason ?? `Pod${phase}`, message ?? 'its container ended');
  for (const { state } of containerStatuses ?? []) {
    const { waiting, terminated } = state ?? {};
    if (waiting?.reason && !NORMAL.has(waiting.reason)) return say(waiting.reason, waiting.message);
    if (terminated) return say(terminated.reason ?? 'Terminated', `exit code ${terminated.exitCode}`);
  }
  const scheduled = conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return say(scheduled.reason ?? 'Unschedulable', scheduled.message);
  return undefined;
}

/** A pod that runs while its rights are not enforced; for a moment after the start that is normal and says nothing. */
function enforcementProblem(capability: ResourceCapability): string | undefined {
  const enforced = capability.status?.conditions?.find(({ type }) => type === CapabilityCondition.Enforced);
  if (enforced?.status !== 'False' || enforced.reason === CapabilityReason.NoPod) return undefined;
  return say(enforced.reason, enforced.message);
}

/** Why slivers pause, and what each of them is told; undefined: none does. */
export function pauseOf(slivers: readonly Observed[]): { reason: string; slivers: string[] } | undefined {
  const byReason = Map.groupBy(slivers, ({ paused }) => paused?.reason);
  const reason = PAUSES.find((one) => byReason.has(one));
  if (reason === undefined) return undefined;
  return { reason, slivers: byReason.get(reason)!.map(({ node, paused }) => `${node}: ${paused!.message}`) };
}

/** What the pod says meanwhile comes of that. */
function pausedBy({ status }: ResourceCapability): Observed['paused'] {
  const ready = getCondition(status?.conditions, CapabilityCondition.Ready);
  if (ready === undefined || !PAUSES.includes(ready.reason)) return undefined;
  return { reason: ready.reason, message: excerpt(ready.message, MAX_QUOTED) };
}

/** Of a right's Ready, and of the Slice's: what somebody has to mend goes before what ends by itself. */
const PAUSES: readonly string[] = [SliceReason.GivenAway, SliceReason.Blackout];

function suspensionOf(capability: ResourceCapability): string | undefined {
  const message = whoSuspends(capability);
  return message === undefined ? undefined : excerpt(message, MAX_QUOTED);
}

function ownerOf(capability: ResourceCapability): string | undefined {
  const word = ownersWord(whoSuspends(capability) ?? '');
  return word && excerpt(word, MAX_QUOTED);
}

/** As the node says it. */
function whoSuspends({ status }: ResourceCapability): string | undefined {
  const ready = getCondition(status?.conditions, CapabilityCondition.Ready);
  return ready?.reason === CapabilityReason.Suspended ? ready.message : undefined;
}

function holderOf(node: string, suspended: readonly ResourceCapability[]): string | undefined {
  const [by] = shownSuspensions(suspended.filter(({ spec }) => spec.nodeName === node));
  return by && excerpt(`suspended by ${toldSuspension(by)}`, MAX_QUOTED);
}

/** Three of them fit in a condition. */
const MAX_QUOTED = 280;

function say(reason: string, message: string | undefined): string {
  return message ? `${reason}: ${excerpt(message, MAX_QUOTED)}` : reason;
}
