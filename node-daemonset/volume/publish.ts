/**
 * A sliver's volume: its identity and its gate. The kubelet starts no container of a pod before its volume is there, so
 * a pod runs only after its right was checked and the kernel enforces it.
 */
import type { Entry, Grant } from '../admission/ledger.ts';
import { leftAt, partsOf } from '../admission/split.ts';
import { NO_RIGHT, planClassId, planNumber, type PodRecord } from '../pods.ts';
import type { Problem } from '../sliver.ts';
import { holdsOf } from '../restraint.ts';
import { isOfAnother, whyNot } from '../standing.ts';
import type { StateStore } from '../state.ts';
import type { SliverDirectories } from './directory.ts';
import type { Mounts } from './mounts.ts';
import {
  Code,
  podOfTarget,
  type PublishMessage,
  type PublishRequest,
  readPublish,
  type UnpublishMessage,
  VolumeError,
} from './request.ts';

/** What became of one pass over the kernel. */
export interface PassResult {
  problems: readonly Problem[];
}

export interface VolumeParts {
  store: StateStore;
  directories: SliverDirectories;
  mounts: Mounts;
  kubeletDirectory: string;
  /** Blackouts of the owner's policy as it is now. */
  blackouts(): Parameters<typeof whyNot>[1];
  /** Resolves after a pass that began after the call. */
  pass(): Promise<PassResult>;
  /** Whether a pod's cgroup has processes. */
  isRunning(podUid: string): boolean;
  /** Whether a pod has left no trace: neither processes nor a directory of the kubelet's. */
  isGone(podUid: string): boolean;
  now(): number;
  /** The most that a kubelet waits for a pass. Default 20 s; it asks again. */
  deadlineMs?: number;
}

/** What a sliver may start with: its guarantee holds all the same, or is told in its conditions. */
const TOLERABLE: ReadonlySet<string> = new Set([
  'LineUnknown',
  'NoAddress',
  'EgressUnclassified',
  'EgressOvercommitted',
  'SystemdNotTold',
  'PortsUnknown',
  // what is on the node's network, or has a raw socket, is refused by a problem of its own
  'NotGuarded',
  'RawNotGuarded',
  'FlowsNotCounted',
  'BridgeNotGuarded',
  'ConnectionsNotBounded',
  'SocketNotServed',
  'SocketsNotEnded',
]);

export interface VolumeService {
  publish(message: PublishMessage): Promise<void>;
  unpublish(message: UnpublishMessage): Promise<void>;
}

/** Both calls may be repeated, at any time and after a restart: the kubelet does. */
export function createVolumeService(parts: VolumeParts): VolumeService {
  const { store, directories, mounts, kubeletDirectory, now } = parts;
  const busy = new Set<string>();

  /** Two calls for one pod would undo each other's steps. */
  const alone = async (uid: string, work: () => Promise<void>): Promise<void> => {
    if (busy.has(uid)) throw new VolumeError(Code.Aborted, `a call for pod ${uid} is under way: ask again`);
    busy.add(uid);
    try {
      await work();
    } finally {
      busy.delete(uid);
    }
  };

  const splitFrom = (entry: Entry | undefined): Grant[] =>
    (entry && partsOf(store.get().ledger.entries).get(entry.uid)) ?? [];

  const right = ({ pod, capability }: PublishRequest): Entry => {
    const named = store
      .get()
      .ledger.entries.filter((entry) => entry.namespace === pod.namespace && entry.name === capability);
    const entry = named.find((one) => one.grant) ?? named[0];
    const why = whyNot(entry, parts.blackouts(), now(), holdsOf(store.get()), splitFrom(entry));
    if (entry && why === undefined) return entry;
    const detail = entry?.grant ? '' : (entry?.refusal?.message ?? 'this node has not granted it');
    const message = `ResourceCapability ${pod.namespace}/${capability} gives no right here now: ${why}${detail && ` (${detail})`}`;
    throw new VolumeError(Code.FailedPrecondition, message);
  };

  /** Adds the pod to the records, or finds it there; throws where another pod holds the right. */
  const record = ({ pod, targetPath }: PublishRequest, entry: Entry): { isNew: boolean } => {
    const { pods, nextClassId, nextNumber } = store.get();
    const rivals = pods.filter((one) => one.rcap.uid === entry.uid && one.uid !== pod.uid);
    // One that waits for something else to start would start with nobody to hold it to anything.
    const holder = rivals.find((one) => parts.isRunning(one.uid) || (!one.unpublished && !parts.isGone(one.uid)));
    if (holder) {
      const message = `pod ${holder.name} (${holder.uid}) holds ${entry.namespace}/${entry.name}: a right has one pod at a time`;
      throw new VolumeError(Code.FailedPrecondition, message);
    }
    const others = pods.filter((one) => one.uid !== pod.uid && !rivals.includes(one));
    const known = pods.find((one) => one.uid === pod.uid);
    const { classId, next } = known ? { classId: known.classId, next: nextClassId } : planClassId(others, nextClassId);
    const number = known ? { number: known.number, next: nextNumber } : planNumber(nextNumber, now());
    if (known && isOfAnother(known, entry.grant)) {
      const message = `pod ${pod.name} is a sliver of slice ${known.slice}: a right that is bound to ${entry.grant?.sliceName} needs a pod of its own`;
      throw new VolumeError(Code.FailedPrecondition, message);
    }
    const fresh: PodRecord = {
      uid: pod.uid,
      name: pod.name,
      rcap: { namespace: entry.namespace, name: entry.name, uid: entry.uid },
      slice: entry.grant?.sliceName,
      classId,
      number: number.number,
      targetPath,
      publishedAt: known?.publishedAt ?? now(),
      addresses: known?.addresses ?? [],
      ...(known?.interfaces && { interfaces: known.interfaces }),
      amounts: (entry.grant && leftAt(entry.grant, splitFrom(entry), now())) ?? NO_RIGHT,
    };
    store.set({ pods: [...others, fresh], nextClassId: next, nextNumber: number.next });
    return { isNew: known === undefined };
  };

  const enforce = async (uid: string): Promise<void> => {
    const result = await within(parts.deadlineMs ?? 20_000, parts.pass());
    const problem = result.problems.find(
      ({ sliver, reason }) => (sliver === undefined || sliver === uid) && !TOLERABLE.has(reason),
    );
    if (problem) throw new VolumeError(Code.Unavailable, `not enforced yet: ${problem.reason}: ${problem.message}`);
  };

  const forget = (uid: string): void => {
    const { pods } = store.get();
    store.accept({ pods: pods.filter((one) => one.uid !== uid) });
  };

  return {
    async publish(message) {
      const request = readPublish(message, kubeletDirectory);
      const { uid } = request.pod;
      await alone(uid, async () => {
        const { isNew } = record(request, right(request));
        try {
          await enforce(uid);
          right(request); // it may have been lost meanwhile
          directories.write(store.get().pods.find((one) => one.uid === uid)!);
          await mounts.bind(directories.path(uid), request.targetPath);
        } catch (error) {
          // Nothing of it runs yet; a kubelet that gives up now never says so.
          if (isNew && !parts.isRunning(uid)) forget(uid);
          throw error;
        }
      });
    },

    async unpublish({ target_path: target }) {
      const uid = podOfTarget(target ?? '', kubeletDirectory);
      if (uid === undefined) {
        const message = `target path ${JSON.stringify(target)} is not a pod's CSI volume`;
        throw new VolumeError(Code.InvalidArgument, message);
      }
      await alone(uid, async () => {
        await mounts.unbind(target);
        directories.remove(uid);
        const { pods } = store.get();
        if (!pods.some((one) => one.uid === uid)) return;
        // A pod without its volume that still runs must not pass for one of the node's own.
        if (parts.isRunning(uid)) {
          store.accept({ pods: pods.map((one) => (one.uid === uid ? { ...one, unpublished: true } : one)) });
        } else forget(uid);
        void parts.pass().catch(() => undefined);
      });
    },
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `not enforced within ${ms} ms: ask again`;
    timer = setTimeout(() => reject(new VolumeError(Code.Unavailable, message)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
