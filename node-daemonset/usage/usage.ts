/** What the kernel gave each sliver, read in one go for everybody who asks about the same time. */
import type { SliverCounters } from '../bpf/kernel.ts';
import type { CpuMeter, CpuUsage } from '../cpu/usage.ts';
import { exemptClass } from '../egress/names.ts';
import type { ClassCounters } from '../egress/tc.ts';
import type { PodRecord } from '../pods.ts';
import type { Desired, NodeFacts, Sliver } from '../sliver.ts';

/** `Limited`: what the owner's limit counts. `Exempt`: what goes to destinations that it does not count. */
export type SentBy = 'Limited' | 'Exempt';

export interface Sent extends ClassCounters {
  interface: string;
  by: SentBy;
}

export interface SliverUsage {
  /** As the last pass would have it. */
  sliver: Sliver;
  /** The name of its pod. */
  pod: string;
  /** undefined: its cgroup is gone. */
  cpu: CpuUsage | undefined;
  /** Through its classes on each uplink; they count from 0 again when a class is made again. */
  sent: Sent[];
  /** undefined: no program in the kernel knows it. */
  guarded: SliverCounters | undefined;
}

/** By interface and HTB minor. */
export type LineCounters = ReadonlyMap<string, ReadonlyMap<number, ClassCounters>>;

export interface NodeUsage {
  /** ms since the epoch */
  time: number;
  /** One for each right that has a pod. */
  slivers: SliverUsage[];
  lines: LineCounters;
  /** undefined before the first pass that knew the node. */
  facts: NodeFacts | undefined;
}

export interface UsageParts {
  cpu: Pick<CpuMeter, 'read'>;
  /** What the last pass made the kernel keep; undefined before the first. */
  desired(): Desired | undefined;
  pods(): readonly PodRecord[];
  lines(): LineCounters;
  /** By `Sliver.number`. */
  guarded(): ReadonlyMap<number, SliverCounters>;
  now(): number;
}

/** So long a reading serves all who ask. */
const FRESH_MS = 1_000;

/** Starts no process, and takes the main thread for some 10 microseconds a sliver. */
export function createUsageReader(parts: UsageParts): () => NodeUsage {
  let last: NodeUsage | undefined;
  return () => {
    const now = parts.now();
    if (!last || now - last.time >= FRESH_MS || now < last.time) last = readUsage(parts, now);
    return last;
  };
}

function readUsage({ cpu, desired, pods, lines, guarded }: UsageParts, now: number): NodeUsage {
  const { slivers: all = [], facts } = desired() ?? {};
  const counters = lines();
  const rows = guarded();
  const records = new Map(pods().map((pod) => [pod.uid, pod]));
  const slivers = chosen(all, records);
  const used = cpu.read(slivers.map(({ id, amounts }) => ({ uid: id, capped: amounts.excess === 'None' })));
  return {
    time: now,
    slivers: slivers.map((sliver) => ({
      sliver,
      pod: records.get(sliver.id)?.name ?? sliver.rcap.name,
      cpu: used.get(sliver.id),
      sent: sentBy(sliver.classId, counters),
      guarded: rows.get(sliver.number),
    })),
    lines: counters,
    facts,
  };
}

/** A right may have two pods while one ends: the one that is entitled, else the later one, speaks for it. */
function chosen(slivers: readonly Sliver[], records: ReadonlyMap<string, PodRecord>): Sliver[] {
  const rank = (sliver: Sliver): number =>
    sliver.standing === 'entitled' ? Infinity : (records.get(sliver.id)?.publishedAt ?? 0);
  const best = new Map<string, Sliver>();
  for (const sliver of slivers) {
    const key = `${sliver.rcap.namespace}/${sliver.rcap.name}`;
    const other = best.get(key);
    if (!other || rank(sliver) > rank(other)) best.set(key, sliver);
  }
  return [...best.values()];
}

function sentBy(classId: number, lines: LineCounters): Sent[] {
  const sent: Sent[] = [];
  for (const [name, classes] of lines) {
    const own = classes.get(classId);
    const exempt = classes.get(exemptClass(classId));
    if (own) sent.push({ interface: name, by: 'Limited', ...own });
    if (exempt) sent.push({ interface: name, by: 'Exempt', ...exempt });
  }
  return sent;
}
