/** Pure: from which interfaces packets with slivers' addresses may come, and what is to be written for it. */
import { isInterfaceName, parseAddress } from '../egress/names.ts';
import type { Sliver } from '../sliver.ts';
import {
  type Beginnings,
  elementsOf,
  type Observed,
  removeTable,
  replaceTable,
  type Source,
  type Table,
  TABLES,
} from './nft.ts';

export interface ObservedSources {
  /** Whether the table is there, and what is in it. */
  tables: Record<Table, { exists: boolean; elements: Observed }>;
  /** The node's interfaces, and those of them that are bridges. */
  interfaces: ReadonlySet<string>;
  bridges: ReadonlySet<string>;
  beginnings: Beginnings;
}

/** nft transactions by table; empty where all is as it should be. */
export type SourcesPlan = Record<Table, string[]>;

export function planSources(observed: ObservedSources, slivers: readonly Sliver[]): SourcesPlan {
  const { tables, interfaces, bridges, beginnings } = observed;
  const routed: Source[] = [];
  const bridged: Source[] = [];
  for (const sliver of slivers) {
    const known = (sliver.interfaces ?? []).filter((dev) => isInterfaceName(dev) && interfaces.has(dev));
    // Its own cable is gone, and its address may be another pod's by now.
    const own = known.filter((dev) => !bridges.has(dev));
    if (own.length === 0) continue;
    const addresses = sliver.addresses.filter((address) => parseAddress(address));
    const bySources = (devices: readonly string[]): Source[] =>
      devices.flatMap((dev) => addresses.map((address) => ({ dev, address })));
    routed.push(...bySources(known));
    if (own.length < known.length) bridged.push(...bySources(own));
  }
  const wanted = { [TABLES[0]]: routed, [TABLES[1]]: bridged } as Record<Table, Source[]>;
  return Object.fromEntries(TABLES.map((table) => [table, scriptOf(table)])) as SourcesPlan;

  function scriptOf(table: Table): string[] {
    const { exists, elements } = tables[table];
    if (wanted[table].length === 0) return exists ? removeTable(table) : [];
    const should = elementsOf(table, wanted[table]);
    return isSame(elements, should) ? [] : replaceTable(table, should, beginnings);
  }
}

function isSame(a: Observed, b: NonNullable<Observed>): boolean {
  if (!a || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(b).every(([name, elements]) => a[name]?.join() === elements.join());
}
