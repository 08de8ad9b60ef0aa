/** The guard's maps: read whole, written by the difference, in an order that never gives anyone more than is its own. */
import { KernelError } from '../bpf/kernel.ts';
import { type Codec, LAYOUTS, NO_COUNTERS } from '../bpf/layout.ts';
import type { BpfMap } from '../bpf/map.ts';
import type { SliverKernel } from '../bpf/open.ts';
import { diffKeys, diffMap } from './diff.ts';
import type { GuardState } from './plan.ts';

export function observeMaps({ maps, flows }: SliverKernel): GuardState {
  const counted = flows instanceof KernelError ? undefined : flows;
  return {
    settings: maps.settings.entries(),
    cgroups: maps.cgroups.entries(),
    slivers: maps.slivers.entries(),
    ports: maps.ports.entries(),
    addresses: maps.addresses.entries(),
    classes: counted?.classes.entries() ?? [],
    counters: maps.counters.keys(),
    buckets: maps.buckets.keys(),
    quotas: counted?.settings.entries() ?? [],
  };
}

/** A change in two halves: what comes, and later what goes. */
interface Halves {
  set(): number;
  remove(): number;
}

/** Returns the number of elements that were written or deleted: 0 where all was as it should be. */
export function writeMaps({ maps, flows }: SliverKernel, observed: GuardState, state: GuardState): number {
  const halves: Halves[] = [
    elements(maps.settings, LAYOUTS.settings, observed.settings, state.settings),
    rows(maps.counters, observed.counters, state.counters, NO_COUNTERS),
    rows(maps.buckets, observed.buckets, state.buckets, null),
    elements(maps.slivers, LAYOUTS.slivers, observed.slivers, state.slivers),
    elements(maps.addresses, LAYOUTS.addresses, observed.addresses, state.addresses),
    elements(maps.ports, LAYOUTS.ports, observed.ports, state.ports),
    elements(maps.cgroups, LAYOUTS.cgroups, observed.cgroups, state.cgroups),
  ];
  if (!(flows instanceof KernelError)) {
    halves.push(
      elements(flows.settings, LAYOUTS.uplink_settings, observed.quotas, state.quotas),
      elements(flows.classes, LAYOUTS.classes, observed.classes, state.classes),
    );
  }
  // A pod is known to be a sliver's from after its entry is there until before it goes.
  const set = halves.reduce((sum, one) => sum + one.set(), 0);
  return halves.reverse().reduce((sum, one) => sum + one.remove(), set);
}

function elements<K, V>(
  map: BpfMap<K, V>,
  layout: { key: Codec<K>; value: Codec<V> },
  observed: readonly (readonly [K, V])[],
  desired: readonly (readonly [K, V])[],
): Halves {
  const { set, remove } = diffMap(layout, observed, desired);
  return halves(map, set, remove);
}

/** Rows that the programs fill begin with zeros. */
function rows<V>(map: BpfMap<number, V>, observed: readonly number[], desired: readonly number[], zero: V): Halves {
  const { add, remove } = diffKeys(observed, desired);
  return halves(
    map,
    add.map((key): [number, V] => [key, zero]),
    remove,
  );
}

function halves<K, V>(map: BpfMap<K, V>, set: [K, V][], remove: K[]): Halves {
  return {
    set() {
      map.setAll(set);
      return set.length;
    },
    remove() {
      map.deleteAll(remove);
      return remove.length;
    },
  };
}
