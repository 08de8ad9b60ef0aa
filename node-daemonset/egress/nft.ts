/** Speaks nftables: the map from a pod's address to its class, consulted for every forwarded packet. */
import { TABLE, classIdText, isSliverClass, parseAddress, parseClassId } from './names.ts';

/** Class minors by address. */
export type AddressMap = Map<string, number>;

export interface AddressMaps {
  v4: AddressMap;
  v6: AddressMap;
}

/** What is there; `complete`: table, maps, chain and both rules are as this version makes them. */
export interface ObservedTable {
  complete: boolean;
  maps: AddressMaps;
}

interface NftObject {
  map?: { name: string; elem?: unknown[] };
  chain?: { name: string; hook?: string; prio?: number };
  rule?: { chain: string; comment?: string };
}

const FAMILIES = ['v4', 'v6'] as const;
/** In the rules' comments, so that a later version replaces the rules of an earlier one. */
const RULES = ['classify v4, 1', 'classify v6, 1'];

/** `nft -j list table inet slice_operator`; undefined: there is no such table. */
export function parseTable(json: string | undefined): ObservedTable {
  const maps: AddressMaps = { v4: new Map(), v6: new Map() };
  if (json === undefined) return { complete: false, maps };
  const objects = (JSON.parse(json) as { nftables: NftObject[] }).nftables;
  const names = objects.flatMap(({ map }) => (map ? [map.name] : []));
  const rules = objects.flatMap(({ rule }) => (rule?.chain === 'classify' ? [rule.comment ?? ''] : []));
  const hooked = objects.some(({ chain }) => chain?.name === 'classify' && chain.hook === 'forward');
  for (const { map } of objects) {
    const family = FAMILIES.find((name) => name === map?.name);
    for (const element of (family && map?.elem) ?? []) {
      const [address, id] = element as [string, string];
      maps[family!].set(address, parseClassId(id) ?? 0);
    }
  }
  const complete = hooked && FAMILIES.every((name) => names.includes(name)) && rules.join('\n') === RULES.join('\n');
  return { complete, maps };
}

/**
 * Table, maps and chain, whatever of them is there already; elements stay. No `oifname`: packets that leave in a tunnel
 * keep their class through it, and would miss a rule that names the uplink.
 */
export function skeleton(): string[] {
  return [
    `add table ${TABLE}`,
    `add map ${TABLE} v4 { type ipv4_addr : classid; }`,
    `add map ${TABLE} v6 { type ipv6_addr : classid; }`,
    `add chain ${TABLE} classify { type filter hook forward priority filter; policy accept; }`,
    `flush chain ${TABLE} classify`,
    `add rule ${TABLE} classify meta priority set ip saddr map @v4 comment "${RULES[0]}"`,
    `add rule ${TABLE} classify meta priority set ip6 saddr map @v6 comment "${RULES[1]}"`,
  ];
}

export function addElements(family: 'v4' | 'v6', elements: readonly (readonly [string, number])[]): string[] {
  if (elements.length === 0) return [];
  const texts = elements.map(([address, minor]) => {
    if (!isSliverClass(minor)) throw new Error(`${minor} is no class of a sliver`);
    return `${checked(family, address)} : ${classIdText(minor)}`;
  });
  return [`add element ${TABLE} ${family} { ${texts.join(', ')} }`];
}

export function removeElements(family: 'v4' | 'v6', addresses: readonly string[]): string[] {
  if (addresses.length === 0) return [];
  return [`delete element ${TABLE} ${family} { ${addresses.map((text) => checked(family, text)).join(', ')} }`];
}

function checked(family: 'v4' | 'v6', text: string): string {
  const parsed = parseAddress(text);
  if (parsed?.family !== family) throw new Error(`${JSON.stringify(text)} is no ${family} address for nftables`);
  return parsed.address;
}
