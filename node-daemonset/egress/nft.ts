/**
 * Speaks nftables: the map from a pod's address, and the interface by which its packets come, to its class, consulted for every
 * forwarded packet. A packet with the address of a sliver that comes by another interface is not the sliver's.
 */
import {
  EXEMPT_NAMES,
  EXEMPT_RULES,
  type ExemptObject,
  type Exemption,
  exemptSkeleton,
  noExemption,
  parseExemption,
} from './exempt.ts';
import { TABLE, classIdText, isInterfaceName, isSliverClass, parseAddress, parseClassId } from './names.ts';

/** Class minors by what `sourceKey` says. */
export type AddressMap = Map<string, number>;

export interface AddressMaps {
  v4: AddressMap;
  v6: AddressMap;
}

/** What is there; `complete`: table, maps, sets, chain and all rules are as this version makes them. */
export interface ObservedTable {
  complete: boolean;
  maps: AddressMaps;
  exempt: Exemption;
}

interface NftObject extends ExemptObject {
  chain?: { name: string; hook?: string; prio?: number };
  rule?: { chain: string; comment?: string };
}

const FAMILIES = ['v4', 'v6'] as const;
const MAPS = { v4: 'from4', v6: 'from6' } as const;
/** In the rules' comments, so that a later version replaces the rules of an earlier one. */
const RULES = ['classify v4, 2', 'classify v6, 2', 'exempt v4, 1', 'exempt v6, 1'];

/** An interface and an address that comes by it, as one element of a map. */
export function sourceKey(dev: string, address: string): string {
  return `"${dev}" . ${address}`;
}

/** `nft -j list table inet slice_operator`; undefined: there is no such table. */
export function parseTable(json: string | undefined): ObservedTable {
  const maps: AddressMaps = { v4: new Map(), v6: new Map() };
  if (json === undefined) return { complete: false, maps, exempt: noExemption() };
  const objects = (JSON.parse(json) as { nftables: NftObject[] }).nftables;
  const names = objects.flatMap(({ map, set }) => map?.name ?? set?.name ?? []);
  const rules = objects.flatMap(({ rule }) => (rule?.chain === 'classify' ? [rule.comment ?? ''] : []));
  const hooked = objects.some(({ chain }) => chain?.name === 'classify' && chain.hook === 'forward');
  for (const { map } of objects) {
    const family = FAMILIES.find((name) => MAPS[name] === map?.name);
    for (const element of (family && map?.elem) ?? []) {
      const [{ concat }, id] = element as [{ concat: [string, string] }, string];
      maps[family!].set(sourceKey(...concat), parseClassId(id) ?? 0);
    }
  }
  const wanted = [...Object.values(MAPS), ...EXEMPT_NAMES];
  const complete = hooked && wanted.every((name) => names.includes(name)) && rules.join('\n') === RULES.join('\n');
  return { complete, maps, exempt: parseExemption(objects) };
}

/**
 * Table, maps, sets and chain, whatever of them is there already; elements stay. No `oifname`: packets that leave in a tunnel
 * keep their class through it, and would miss a rule that names the uplink.
 */
export function skeleton(): string[] {
  return [
    `add table ${TABLE}`,
    `add map ${TABLE} ${MAPS.v4} { type ifname . ipv4_addr : classid; }`,
    `add map ${TABLE} ${MAPS.v6} { type ifname . ipv6_addr : classid; }`,
    ...exemptSkeleton(),
    `add chain ${TABLE} classify { type filter hook forward priority filter; policy accept; }`,
    `flush chain ${TABLE} classify`,
    `add rule ${TABLE} classify meta priority set iifname . ip saddr map @${MAPS.v4} comment "${RULES[0]}"`,
    `add rule ${TABLE} classify meta priority set iifname . ip6 saddr map @${MAPS.v6} comment "${RULES[1]}"`,
    `add rule ${TABLE} classify ${EXEMPT_RULES[0]} comment "${RULES[2]}"`,
    `add rule ${TABLE} classify ${EXEMPT_RULES[1]} comment "${RULES[3]}"`,
  ];
}

export function addElements(family: 'v4' | 'v6', elements: readonly (readonly [string, number])[]): string[] {
  if (elements.length === 0) return [];
  const texts = elements.map(([key, minor]) => {
    if (!isSliverClass(minor)) throw new Error(`${minor} is no class of a sliver`);
    return `${checked(family, key)} : ${classIdText(minor)}`;
  });
  return [`add element ${TABLE} ${MAPS[family]} { ${texts.join(', ')} }`];
}

export function removeElements(family: 'v4' | 'v6', keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  return [`delete element ${TABLE} ${MAPS[family]} { ${keys.map((text) => checked(family, text)).join(', ')} }`];
}

function checked(family: 'v4' | 'v6', key: string): string {
  const [, dev = '', text = ''] = /^"([^"]*)" \. ([^ ]*)$/.exec(key) ?? [];
  const parsed = parseAddress(text);
  if (parsed?.family !== family || !isInterfaceName(dev)) {
    throw new Error(`${JSON.stringify(key)} is no interface and ${family} address for nftables`);
  }
  return sourceKey(dev, parsed.address);
}
