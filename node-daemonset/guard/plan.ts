/** Pure: what the kernel's maps should hold, so that each sliver sends what is its own and nothing else. */
import { isIP } from 'node:net';
import { formatAddress } from '../../crds/ipaddress.ts';
import type { RspecPort } from '../../crds/types.ts';
import {
  ADDRESS_BROADCAST,
  ADDRESS_OWN,
  ICMP,
  MAX_FLOWS,
  type PortKey,
  type PrefixKey,
  type Settings,
  SLIVER_ENDED,
  SLIVER_HOST,
  SLIVER_RAW,
  SLIVER_READY,
  type SliverEntry,
  TCP,
  UDP,
} from '../bpf/layout.ts';
import { exemptPrefixes } from '../egress/exempt.ts';
import { exemptClass, isSliverClass, MAJOR } from '../egress/names.ts';
import type { Desired, Sliver } from '../sliver.ts';
import { planTombstones, type Tombstones } from './tombstones.ts';

/** The contents of the maps that the guard fills, by their names. */
export interface GuardState {
  settings: readonly [number, Settings][];
  /** Pods' cgroup v2 ids. */
  cgroups: readonly [bigint, number][];
  slivers: readonly [number, SliverEntry][];
  ports: readonly [PortKey, number][];
  /** `sliver` 0: the node's own; ADDRESS_... */
  addresses: readonly [{ sliver: number; address: string }, number][];
  /** Indices of interfaces by which nothing of slivers may leave. */
  barred: readonly [number, number][];
  /** Prefixes whose packets leave in their slivers' second classes. */
  exempt: readonly [PrefixKey, number][];
  /** HTB class ids, major and minor. */
  classes: readonly [number, number][];
  /** Slivers with a row of counters; 0 is everybody else. */
  counters: readonly number[];
  /** Slivers with token buckets. */
  buckets: readonly number[];
  /** Slivers whose sockets are counted. */
  openSockets: readonly number[];
  quotas: readonly [number, { quota: number; shared: number }][];
}

export interface GuardInput {
  observed: Pick<GuardState, 'cgroups' | 'slivers' | 'ports'>;
  desired: Desired;
  settings: Omit<Settings, 'sockets'>;
  /** The v2 id of each pod's cgroup, by the pod's uid; absent: it has none (any more). */
  cgroupIds: ReadonlyMap<string, bigint>;
  /** All addresses of the node: what it may send from, and where not everything of it is a sliver's to reach. */
  nodeAddresses: readonly string[];
  broadcastAddresses: readonly string[];
  /** Indices of interfaces. */
  barred: readonly number[];
  tombstones: Tombstones;
  /** Packets dropped of slivers that have ended, by number, where counted. */
  endedDrops: ReadonlyMap<number, number>;
  /** ms since the epoch */
  now: number;
}

export interface GuardPlan {
  state: GuardState;
  tombstones: Tombstones;
}

const PROTOCOLS = { TCP, UDP, ICMP } as const;

/** More than this no node has; it bounds the map. */
const MAX_NODE_ADDRESSES = 4096;
const MAX_BARRED = 4096;

export function planGuard(input: GuardInput): GuardPlan {
  const { observed, desired, settings, cgroupIds } = input;
  const known = new Map(observed.slivers);
  const live = desired.slivers.filter(({ number }) => number > 0);
  const numbers = new Set(live.map(({ number }) => number));
  const gone = observed.slivers.filter(([number]) => !numbers.has(number));
  const { tombstones, kept } = planTombstones(input, gone);
  const holders = live.filter(({ standing }) => standing === 'entitled');
  const ports = portsOf(holders, desired);
  const losers = losersOf(observed.ports, ports);
  const first = firstGeneration(input.now);
  const slivers = live.map((sliver): [number, SliverEntry] => [
    sliver.number,
    entryOf(sliver, desired, (raw) => generationOf(known.get(sliver.number), raw && !losers.has(sliver.number), first)),
  ]);
  const present = new Set([...numbers, ...kept.map(([number]) => number)]);
  const state: GuardState = {
    settings: [[0, { ...settings, sockets: socketsOf(settings, live.filter(isOnNode).length) }]],
    cgroups: [...cgroupsOf(live, observed, cgroupIds, present)],
    slivers: [...slivers, ...kept],
    ports,
    addresses: [
      ...input.nodeAddresses.slice(0, MAX_NODE_ADDRESSES).map((address) => addressOf(0, address)),
      ...input.broadcastAddresses
        .slice(0, MAX_NODE_ADDRESSES)
        .map((address) => addressOf(0, address, ADDRESS_BROADCAST)),
      ...live.flatMap(({ number, addresses }) => addresses.filter(isIP).map((address) => addressOf(number, address))),
    ],
    barred: input.barred.slice(0, MAX_BARRED).map((index) => [index, 1]),
    exempt: exemptOf(desired),
    classes: live.flatMap(({ classId, number }): [number, number][] =>
      classesOf(classId, input.desired.facts).map((minor) => [classOf(minor), number]),
    ),
    counters: [0, ...present],
    buckets: [...numbers],
    openSockets: [...numbers],
    quotas: [[0, quotasOf(live.length)]],
  };
  return { state, tombstones };
}

/** In the place of the number of a sliver that is not there: no sliver ever has it. */
export const NOBODY = 0xffff_ffff;

/** A granted port is kept for its owner before there is a pod, and between two pods. */
function portsOf(holders: readonly Sliver[], { ports }: Desired): [PortKey, number][] {
  const key = ({ protocol, port }: RspecPort): string => `${protocol} ${port}`;
  const owners = new Map(ports.map((port): [string, [RspecPort, number]] => [key(port), [port, NOBODY]]));
  for (const { amounts, number } of holders) for (const port of amounts.ports) owners.set(key(port), [port, number]);
  return [...owners.values()].map(([{ protocol, port }, number]) => [{ protocol: PROTOCOLS[protocol], port }, number]);
}

/** Destinations that the owner exempts. */
export function exemptOf({ facts }: Desired): [PrefixKey, number][] {
  return exemptPrefixes(facts.exempt.destinations).map(({ family, prefix: { bytes, bits } }) => [
    { family: family === 'v4' ? 4 : 6, address: formatAddress(bytes), bits },
    1,
  ]);
}

/** The HTB minors under which a sliver's packets leave. */
function classesOf(classId: number, { exempt }: Desired['facts']): number[] {
  if (!isSliverClass(classId)) return [];
  return exempt.destinations.length > 0 ? [classId, exemptClass(classId)] : [classId];
}

export function isOnNode(sliver: Sliver): boolean {
  return sliver.network === 'Host';
}

function entryOf(sliver: Sliver, { facts }: Desired, generation: (raw: boolean) => number): SliverEntry {
  const { standing, amounts, classId } = sliver;
  const entitled = standing === 'entitled';
  const onNode = isOnNode(sliver);
  const raw = entitled && amounts.privileges.includes('RawSockets');
  const flags =
    (standing === 'frozen' ? SLIVER_ENDED : 0) |
    (isSliverClass(classId) && (onNode || sliver.addresses.length > 0) ? SLIVER_READY : 0) |
    (onNode ? SLIVER_HOST : 0) |
    (raw ? SLIVER_RAW : 0);
  return {
    flags,
    priority: classOf(classId),
    generation: generation(raw),
    echoRate: facts.echoRate,
    optionRate: facts.optionRate,
  };
}

/** Numbers of slivers that owned a port which is not theirs any more. */
function losersOf(before: GuardState['ports'], after: GuardState['ports']): Set<number> {
  const text = ([{ protocol, port }, owner]: GuardState['ports'][number]): string => `${protocol} ${port} ${owner}`;
  const kept = new Set(after.map(text));
  return new Set(before.filter((one) => !kept.has(text(one))).map(([, owner]) => owner));
}

/** Raw sockets outlive the maps that say which of them are dead: what begins later begins with a greater number. */
export function firstGeneration(now: number): number {
  return Math.max(1, Math.floor((now - GENERATIONS_BEGAN) / 1000) % 0xffff_ffff);
}
const GENERATIONS_BEGAN = Date.UTC(2026, 0, 1);

/** A right that was lost, or a port, does not give its old sockets back when it is granted again. */
export function generationOf(before: SliverEntry | undefined, raw: boolean, first: number): number {
  if (!before) return first;
  const lost = (before.flags & SLIVER_RAW) !== 0 && !raw;
  return lost ? (before.generation % 0xffff_ffff) + 1 : before.generation;
}

/** An id stays its sliver's for as long as the sliver or its tombstone is there: sockets outlive a cgroup's directory. */
function* cgroupsOf(
  live: readonly Sliver[],
  observed: GuardInput['observed'],
  cgroupIds: GuardInput['cgroupIds'],
  present: ReadonlySet<number>,
): Iterable<[bigint, number]> {
  const current = new Map(
    live.flatMap(({ id, number }): [bigint, number][] => {
      const cgroup = cgroupIds.get(id);
      return cgroup === undefined ? [] : [[cgroup, number]];
    }),
  );
  yield* current;
  for (const [cgroup, number] of observed.cgroups) {
    if (present.has(number) && !current.has(cgroup)) yield [cgroup, number];
  }
}

/** Half of the rows are the slivers' own in equal parts, the other half goes to whoever comes first. */
function quotasOf(slivers: number): { quota: number; shared: number } {
  const half = MAX_FLOWS / 2;
  // One row of each sliver and of nobody's is for the rest.
  return { quota: Math.max(0, Math.floor(half / (slivers + 1)) - 1), shared: half };
}

/** Each socket may take a port that the kernel chooses: half of those are for the node itself. */
function socketsOf({ firstPort, lastPort }: Pick<Settings, 'firstPort' | 'lastPort'>, onNode: number): number {
  return Math.max(1, Math.floor((lastPort - firstPort + 1) / 2 / Math.max(1, onNode)));
}

function classOf(minor: number): number {
  return (MAJOR << 16) | minor;
}

function addressOf(sliver: number, address: string, kind = ADDRESS_OWN): [{ sliver: number; address: string }, number] {
  return [{ sliver, address }, kind];
}
