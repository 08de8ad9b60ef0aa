/** The sliver pods of this node, known by the volumes that we published to them. */
import { type Amounts, amounts } from '../crds/rspec.ts';

/** One pod with a volume of ours; one entry of the checkpoint. */
export interface PodRecord {
  /** The pod's uid. */
  uid: string;
  name: string;
  rcap: { namespace: string; name: string; uid: string };
  slice: string | undefined;
  classId: number;
  /** As `Sliver.number`. */
  number: number;
  /** Where the kubelet wanted the volume. */
  targetPath: string;
  /** ms since the epoch */
  publishedAt: number;
  /** IPv4 and IPv6; empty until they are known. */
  addresses: string[];
  /** The node's interfaces by which it gets what the pod sends; absent until they are known. */
  interfaces?: string[];
  /** What its right gave it last. */
  amounts: Amounts;
  /** Since when it has had no right; ms since the epoch, undefined while it has one. */
  penalisedSince?: number;
  /** Its volume is gone but its processes are not: it has no right and is no pod of the node's own. */
  unpublished?: true;
}

/** The slivers' HTB minors: below are the tree's own classes, above the slivers' second classes. */
const FIRST_CLASS = 0x100;
const LAST_CLASS = 0x7ffe;

/** What a pod gets that never had a right here. */
export const NO_RIGHT: Amounts = amounts(undefined);

/** When numbers began, in ms since the epoch: below are those of pods from before slivers had numbers. */
const NUMBERS_BEGAN = Date.UTC(2026, 0, 1);
const LAST_NUMBER = 0xffff_ffff;

/**
 * A number that no sliver of this node ever had: descriptors and packets outlive their sliver. Not below the seconds that
 * have passed since numbers began, so that none comes again either when the checkpoint was lost. Throws when all are used.
 */
export function planNumber(next: number, now: number): { number: number; next: number } {
  const number = Math.max(next, Math.floor((now - NUMBERS_BEGAN) / 1000), 1);
  if (number > LAST_NUMBER)
    throw new Error('all numbers of slivers are used on this node: wipe its state and reboot it');
  return { number, next: number + 1 };
}

/** Pods of a checkpoint from before slivers had numbers get them, in order. */
export function numbered(pods: readonly PodRecord[], next: number): { pods: PodRecord[]; next: number } {
  let number = pods.reduce((most, pod) => Math.max(most, (pod.number ?? 0) + 1), Math.max(next, 1));
  const all = pods.map((pod) => (pod.number === undefined ? { ...pod, number: number++ } : pod));
  return { pods: all, next: number };
}

/**
 * A class id that nobody has, from `next` on and round: an id is given again only after all others, as counters and
 * packets still in a queue may carry it. Throws when all are taken, which is far beyond what a node can run.
 */
export function planClassId(pods: readonly PodRecord[], next: number): { classId: number; next: number } {
  const taken = new Set(pods.map((pod) => pod.classId));
  const span = LAST_CLASS - FIRST_CLASS + 1;
  const begin = next >= FIRST_CLASS && next <= LAST_CLASS ? next : FIRST_CLASS;
  for (let step = 0; step < span; step++) {
    const classId = FIRST_CLASS + ((begin - FIRST_CLASS + step) % span);
    if (!taken.has(classId)) return { classId, next: classId === LAST_CLASS ? FIRST_CLASS : classId + 1 };
  }
  throw new Error(`all ${span} class ids of this node are taken`);
}
