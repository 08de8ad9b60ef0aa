/** The guard's maps: read whole, written by the difference, in an order that never gives anyone more than is its own. */
import { KernelError } from '../bpf/kernel.ts';
import { type Codec, SLIVER_ENDED } from '../bpf/layout.ts';
import type { BpfMap, RawEntries } from '../bpf/map.ts';
import type { SliverKernel } from '../bpf/open.ts';
import { type Change, diffKeys, diffMap } from './diff.ts';
import type { Desired } from '../sliver.ts';
import { exemptOf, type GuardState } from './plan.ts';
import { tombstoneOf } from './tombstones.ts';

/** Every map as it is, and those decoded that a plan goes by. */
export interface ObservedMaps extends Pick<GuardState, 'cgroups' | 'slivers' | 'ports'> {
  raw: Readonly<Record<keyof GuardState, RawEntries>>;
}

const NONE: RawEntries = new Map();

export function observeMaps({ maps, flows }: SliverKernel): ObservedMaps {
  const counted = flows instanceof KernelError ? undefined : flows;
  const raw = {
    settings: maps.settings.read(),
    cgroups: maps.cgroups.read(),
    slivers: maps.slivers.read(),
    ports: maps.ports.read(),
    addresses: maps.addresses.read(),
    barred: maps.barred.read(),
    exempt: maps.exempt.read(),
    counters: maps.counters.read(),
    buckets: maps.buckets.read(),
    openSockets: maps.open_sockets.read(),
    classes: counted?.classes.read() ?? NONE,
    quotas: counted?.settings.read() ?? NONE,
  };
  const { cgroups, slivers, ports } = maps;
  return {
    raw,
    cgroups: cgroups.decode(raw.cgroups),
    slivers: slivers.decode(raw.slivers),
    ports: ports.decode(raw.ports),
  };
}

/** Returns the number of elements that were written or deleted: 0 where all was as it should be. */
export function writeMaps({ maps, flows }: SliverKernel, { raw }: ObservedMaps, state: GuardState): number {
  const changes: [AnyMap, Change][] = [
    [maps.settings, diffMap(maps.settings.layout, raw.settings, state.settings)],
    [maps.counters, rows(maps.counters, raw.counters, state.counters)],
    [maps.buckets, rows(maps.buckets, raw.buckets, state.buckets)],
    [maps.open_sockets, rows(maps.open_sockets, raw.openSockets, state.openSockets)],
    [maps.barred, diffMap(maps.barred.layout, raw.barred, state.barred)],
    [maps.exempt, diffMap(maps.exempt.layout, raw.exempt, state.exempt)],
    [maps.slivers, diffMap(maps.slivers.layout, raw.slivers, state.slivers)],
    [maps.addresses, diffMap(maps.addresses.layout, raw.addresses, state.addresses)],
    [maps.ports, diffMap(maps.ports.layout, raw.ports, state.ports)],
    [maps.cgroups, diffMap(maps.cgroups.layout, raw.cgroups, state.cgroups)],
  ];
  if (!(flows instanceof KernelError)) {
    const { settings, classes } = flows;
    changes.push([settings, diffMap(settings.layout, raw.quotas, state.quotas)]);
    changes.push([classes, diffMap(classes.layout, raw.classes, state.classes)]);
  }
  // A pod is known to be a sliver's from after its entry is there until before it goes.
  for (const [map, { set }] of changes) map.write(set);
  for (const [map, { remove }] of changes.toReversed()) map.erase(remove);
  return changes.reduce((sum, [, { set, remove }]) => sum + set.length + remove.length, 0);
}

/** Takes what is not to be: nothing is added, and who has ended is dropped from now on. */
export function retreatMaps({ maps }: SliverKernel, desired: Desired): void {
  const live = new Set(desired.slivers.map(({ number }) => number));
  for (const [number, entry] of maps.slivers.decode(maps.slivers.read())) {
    if (!live.has(number) && (entry.flags & SLIVER_ENDED) === 0) maps.slivers.set(number, tombstoneOf(entry));
  }
  maps.exempt.erase(diffMap(maps.exempt.layout, maps.exempt.read(), exemptOf(desired)).remove);
}

/** What every map can do, whatever is in it. */
type AnyMap = Pick<BpfMap<unknown, unknown>, 'write' | 'erase'>;

/** Rows that the programs fill begin with zeros. */
function rows<K>(
  { layout }: { layout: { key: Codec<K>; value: { size: number } } },
  raw: RawEntries,
  keys: readonly K[],
): Change {
  return diffKeys(layout.key, Buffer.alloc(layout.value.size), raw, keys);
}
