/** Pure: which weights and quotas the pods of this node should have, and which writes bring them there. */
import type { Desired, Problem, Sliver } from '../sliver.ts';
import type { Parent } from './cgroups.ts';
import { type Conversion, detectConversion, requestsOfWeight, settleRequests } from './requests.ts';
import { weightBeside } from './siblings.ts';

/** A CFS quota in microseconds; `max` undefined: none. */
export interface Quota {
  max: number | undefined;
  period: number;
}

export interface ObservedPod {
  uid: string;
  parent: Parent;
  /** `cpu.shares` on v1, `cpu.weight` on v2 */
  weight: number;
  quota: Quota;
}

/** The kubelet's pods as the kernel has them. */
export interface ObservedCpu {
  version: 1 | 2;
  /** Weights of the kubelet's own directories: of all pods, and of the Burstable ones together. */
  kubepodsWeight: number;
  burstableWeight: number;
  pods: ObservedPod[];
}

/** What is to be put back: recorded before a pod's weight is first written. */
export interface Original {
  /** The weight that the kubelet gave the pod. */
  weight: number;
  /** What we wrote, or were about to write when we last recorded: any other weight is somebody else's. */
  ours: number[];
  sliver: boolean;
}

export type Originals = Record<string, Original>;

export interface CpuWrite {
  uid: string;
  weight?: number;
  quota?: Quota;
}

export interface CpuPlan {
  writes: CpuWrite[];
  /** To be recorded before the writes. */
  originals: Originals;
  problems: Problem[];
}

/**
 * What all slivers that are starting have together at least, in 1/1000 of the node. A runtime makes a container inside the pod's
 * cgroup, about 0.1 s of CPU: with a single share that takes a minute and more on a busy node. It comes out of the tenth that no
 * owner offers unless asked to, so that it takes nothing from rights, however many slivers start and however often.
 */
export const STARTING_SHARES = 50;
const MAX_WEIGHT = 10_000;
const PERIOD = 100_000;
/** Below 1 ms the kernel takes no quota, so small ones are given over a longer period. */
const LONG_PERIOD = 1_000_000;
const MIN_QUOTA = 1000;
export const NO_QUOTA: Quota = { max: undefined, period: PERIOD };

/**
 * On v1 slivers get shares on the kubelet's own scale and nobody else is touched. On v2 its scale is too coarse, so the
 * Burstable pods, among which all slivers are, get a finer one together, each in proportion to what it requested, and
 * the Guaranteed pods beside them follow their parent; when no sliver is left all get back what they had.
 */
export function planCpu(observed: ObservedCpu, { slivers, facts }: Desired, recorded: Originals): CpuPlan {
  const pods = new Map(observed.pods.map((pod) => [pod.uid, pod]));
  const byPod = new Map(slivers.map((sliver) => [sliver.id, sliver]));
  const originals = currentOriginals(observed.pods, recorded);
  if (slivers.length === 0) return { ...planRelease(observed, recorded), problems: [] };

  const problems: Problem[] = [];
  const weights = new Map<string, number>();
  const placed = slivers.filter((sliver) => {
    const parent = pods.get(sliver.id)?.parent;
    if (parent !== 'burstable') problems.push(misplaced(sliver, parent));
    return parent === 'burstable';
  });
  const lift = lifted(placed);
  const others = observed.pods.filter((pod) => pod.parent === 'burstable' && !byPod.has(pod.uid));
  if (observed.version === 1) {
    for (const sliver of placed) weights.set(sliver.id, sharesOf(lift(sliver), facts.cpuMilli));
  } else {
    const conversion = detectConversion(observed.kubepodsWeight, facts.cpuMilli);
    const inSlivers = placed.reduce(
      (sum, { amounts }) => sum + Math.floor((amounts.shares * facts.cpuMilli) / 1000),
      0,
    );
    const requests = otherRequests(observed, others, originals, inSlivers, conversion);
    const parts = requests.map((request) => (request * 1000) / facts.cpuMilli);
    const shares = placed.filter(entitled).map((sliver) => sliver.amounts.shares);
    const scale = chooseScale(shares, parts);
    for (const sliver of placed) {
      weights.set(sliver.id, entitled(sliver) ? scaled(lift(sliver).amounts.shares, scale) : 1);
    }
    for (const [i, pod] of others.entries()) weights.set(pod.uid, scaledUp(parts[i] ?? 0, scale));
    const parent = { weight: observed.burstableWeight, request: requests.reduce((a, b) => a + b, inSlivers) };
    for (const pod of placed.length > 0 ? observed.pods : []) {
      if (pod.parent !== 'guaranteed' || byPod.has(pod.uid)) continue;
      weights.set(pod.uid, weightBeside(parent, pod, originals[pod.uid]?.weight ?? pod.weight, conversion));
    }
  }

  const writes: CpuWrite[] = [];
  for (const [uid, weight] of weights) {
    const pod = pods.get(uid)!;
    const sliver = byPod.get(uid);
    const quota = sliver && quotaOf(lift(sliver), facts.cpuMilli);
    const write: CpuWrite = { uid };
    if (pod.weight !== weight) write.weight = weight;
    if (quota && !sameQuota(pod.quota, quota)) write.quota = quota;
    if (write.weight !== undefined || write.quota) writes.push(write);
    const was = originals[uid] ?? { weight: pod.weight, ours: [] };
    // The old value stays ours until a pass has seen the new one: we may be killed between recording and writing.
    const ours = [...new Set([...was.ours.filter((value) => value === pod.weight), weight])];
    originals[uid] = { weight: was.weight, ours, sliver: sliver !== undefined };
  }
  return { writes, originals, problems };
}

/** Everything back as the kubelet had it. */
export function planRelease(observed: ObservedCpu, recorded: Originals): { writes: CpuWrite[]; originals: Originals } {
  const writes = observed.pods.flatMap((pod): CpuWrite[] => {
    const was = recorded[pod.uid];
    const weight = was?.ours.includes(pod.weight) && was.weight !== pod.weight ? was.weight : undefined;
    // Sliver pods have no CPU limit of their own, so a quota on one is ours.
    const quota = was?.sliver && pod.quota.max !== undefined ? NO_QUOTA : undefined;
    if (weight === undefined && !quota) return [];
    return [{ uid: pod.uid, ...(weight !== undefined && { weight }), ...(quota && { quota }) }];
  });
  // The record outlives the writes by one pass, so that a crash midway loses nothing.
  return { writes, originals: writes.length > 0 ? currentOriginals(observed.pods, recorded) : {} };
}

/**
 * The smallest scale, in tenths up to 10, that rounds every sliver's weight within 1 % and gives no other pod 5 % more
 * than its part: smallest, so that a pod which the kubelet has just made, on its own small scale, is not starved until
 * the next pass. Shares and parts are thousandths of the node.
 */
export function chooseScale(shares: readonly number[], parts: readonly number[]): number {
  const slivers = [...new Set(shares)];
  const others = [...new Set(parts)].filter((part) => part > 0);
  for (let tenths = 1; tenths < 100; tenths++) {
    const scale = tenths / 10;
    const fits =
      slivers.every((share) => Math.abs(scaled(share, scale) / (share * scale) - 1) <= 0.01) &&
      others.every((part) => scaledUp(part, scale) / (part * scale) <= 1.05);
    if (fits) return scale;
  }
  return 10;
}

/** The records of pods that still exist; a weight that neither we nor the record know is a new request. */
function currentOriginals(pods: readonly ObservedPod[], recorded: Originals): Originals {
  const current: Originals = {};
  for (const pod of pods) {
    const was = recorded[pod.uid];
    if (!was) continue;
    // A pod resized in place has a new weight from the kubelet. A sliver's says nothing: its shares are its request.
    const known = was.sliver || was.weight === pod.weight || was.ours.includes(pod.weight);
    current[pod.uid] = known ? { ...was } : { ...was, weight: pod.weight };
  }
  return current;
}

/** Requests of the other Burstable pods in 1/1000 of a core, from the weights that the kubelet gave them. */
function otherRequests(
  observed: ObservedCpu,
  others: readonly ObservedPod[],
  originals: Originals,
  inSlivers: number,
  conversion: Conversion,
): number[] {
  const ranges = others.map((pod) => requestsOfWeight(originals[pod.uid]?.weight ?? pod.weight, conversion));
  return settleRequests(ranges, requestsOfWeight(observed.burstableWeight, conversion).high - inSlivers);
}

/** A sliver with what it needs while it starts; only one with a right, or to lose it would be a promotion. */
function lifted(slivers: readonly Sliver[]): (sliver: Sliver) => Sliver {
  const isStarting = (sliver: Sliver): boolean => entitled(sliver) && sliver.starting === true;
  const part = Math.floor(STARTING_SHARES / slivers.filter(isStarting).length);
  return (sliver) => {
    if (!isStarting(sliver) || sliver.amounts.shares >= part) return sliver;
    return { ...sliver, amounts: { ...sliver.amounts, shares: part } };
  };
}

function entitled(sliver: Sliver): boolean {
  return sliver.standing === 'entitled';
}

function scaled(shares: number, scale: number): number {
  return Math.min(Math.max(Math.round(shares * scale), 1), MAX_WEIGHT);
}

/** For pods that are not ours: rounding takes nothing from them. */
function scaledUp(part: number, scale: number): number {
  return scaled(Math.ceil(part * scale - 1e-9), 1);
}

function sharesOf(sliver: Sliver, cpuMilli: number): number {
  if (!entitled(sliver)) return 2;
  return Math.min(Math.max(Math.round((sliver.amounts.shares * cpuMilli * 1.024) / 1000), 2), 262_144);
}

/** The sliver's guarantee as a ceiling, where it asked for no more than that. */
function quotaOf(sliver: Sliver, cpuMilli: number): Quota {
  if (sliver.amounts.excess === 'Share') return NO_QUOTA;
  const cores = (sliver.amounts.shares * cpuMilli) / 1e6;
  const period = cores * PERIOD >= MIN_QUOTA ? PERIOD : LONG_PERIOD;
  return { max: Math.max(Math.floor(cores * period), MIN_QUOTA), period };
}

function sameQuota(a: Quota, b: Quota): boolean {
  return a.max === b.max && (a.max === undefined || a.period === b.period);
}

function misplaced(sliver: Sliver, parent: Parent | undefined): Problem {
  const what = parent === undefined ? 'has no cgroup yet or any more' : `is ${parent}, slivers are Burstable`;
  return {
    sliver: sliver.id,
    reason: parent === undefined ? 'NoCgroup' : 'WrongParent',
    message: `pod ${sliver.id} of ${sliver.rcap.namespace}/${sliver.rcap.name} ${what}: its CPU shares are not enforced`,
  };
}
