/**
 * Speaks nftables: what has a sliver's address and does not come from it is dropped as it arrives. Of packets the interface
 * counts that the node gets them by; of frames on a bridge the port, or a pod's neighbours could send in its name.
 */
import { addressBytes } from '../bpf/address.ts';
import { isInterfaceName, parseAddress } from '../egress/names.ts';

/** One table for what is routed, one for what comes by a bridge's port; both carry our mark by their name. */
export const TABLES = ['inet slice_operator_sources', 'bridge slice_operator_sources'] as const;
export type Table = (typeof TABLES)[number];

/** A sliver's address, and an interface or port of a bridge by which its packets come. */
export interface Source {
  dev: string;
  address: string;
}

/** Elements as nftables prints them, by set, sorted. */
export type Elements = Record<string, string[]>;

/** What is there; undefined: no such table, or another than this version makes. */
export type Observed = Elements | undefined;

/** In each rule's comment. Raised with every change of sets, chain or rules. */
const VERSION = 'sources, 1';

/** Before connections are remembered and addresses rewritten: what is forged leaves no trace. */
const CHAIN = 'type filter hook prerouting priority -300; policy accept;';

/** The target that a neighbour advertisement speaks for, which has no name in nftables. */
const TARGET = '@th,64,128';

const ROUTED = {
  address4: 'type ipv4_addr',
  address6: 'type ipv6_addr',
  by4: 'type ifname . ipv4_addr',
  by6: 'type ifname . ipv6_addr',
};

const SETS: Record<Table, Record<string, string>> = {
  'inet slice_operator_sources': ROUTED,
  'bridge slice_operator_sources': {
    ...ROUTED,
    target: `typeof ${TARGET}`,
    targetBy: `typeof iifname . ${TARGET}`,
  },
};

const RULES: Record<Table, readonly string[]> = {
  'inet slice_operator_sources': [
    // The node's own programs send to it from any address, as transparent proxies do.
    'iifname != "lo" ip saddr @address4 iifname . ip saddr != @by4 drop',
    'iifname != "lo" ip6 saddr @address6 iifname . ip6 saddr != @by6 drop',
  ],
  'bridge slice_operator_sources': [
    'ip saddr @address4 iifname . ip saddr != @by4 drop',
    'ip6 saddr @address6 iifname . ip6 saddr != @by6 drop',
    // Nor does anybody else say where the address is.
    'arp saddr ip @address4 iifname . arp saddr ip != @by4 drop',
    `icmpv6 type nd-neighbor-advert ${TARGET} @target iifname . ${TARGET} != @targetBy drop`,
  ],
};

/** Throws where a name or an address is none. */
export function elementsOf(table: Table, sources: readonly Source[]): Elements {
  const sets = new Map(Object.keys(SETS[table]).map((name) => [name, new Set<string>()]));
  for (const { dev, address: text } of sources) {
    const parsed = parseAddress(text);
    if (!parsed || !isInterfaceName(dev)) throw new Error(`${JSON.stringify([dev, text])} is no source for nftables`);
    const { family, address } = parsed;
    const n = family === 'v4' ? 4 : 6;
    sets.get(`address${n}`)!.add(address);
    sets.get(`by${n}`)!.add(`"${dev}" . ${address}`);
    if (n === 4) continue;
    const target = `0x${BigInt(`0x${addressBytes(address).toString('hex')}`).toString(16)}`;
    sets.get('target')?.add(target);
    sets.get('targetBy')?.add(`"${dev}" . ${target}`);
  }
  return Object.fromEntries([...sets].map(([name, elements]) => [name, [...elements].sort()]));
}

interface NftObject {
  set?: { name: string; elem?: (string | { concat: [string, string] })[] };
  chain?: { hook?: string };
  rule?: { comment?: string };
}

/** `nft -j list table`. */
export function parseTable(table: Table, json: string): Observed {
  const objects = (JSON.parse(json) as { nftables: NftObject[] }).nftables;
  const comments = objects.flatMap(({ rule }) => (rule ? [rule.comment] : []));
  const isWhole = comments.length === RULES[table].length && comments.every((comment) => comment === VERSION);
  if (!isWhole || !objects.some(({ chain }) => chain?.hook === 'prerouting')) return undefined;
  return Object.fromEntries(
    objects.flatMap(({ set }) => (set ? [[set.name, (set.elem ?? []).map(textOf).sort()] as const] : [])),
  );
}

/** In one transaction with whatever was there: no packet finds less than one of the two. */
export function replaceTable(table: Table, elements: Elements): string[] {
  return [
    ...removeTable(table),
    `add table ${table}`,
    ...Object.entries(SETS[table]).map(([name, type]) => `add set ${table} ${name} { ${type}; }`),
    `add chain ${table} arriving { ${CHAIN} }`,
    ...RULES[table].map((rule) => `add rule ${table} arriving ${rule} comment "${VERSION}"`),
    ...Object.entries(elements).flatMap(([name, all]) =>
      all.length > 0 ? [`add element ${table} ${name} { ${all.join(', ')} }`] : [],
    ),
  ];
}

/** Also where it is not there. */
export function removeTable(table: Table): string[] {
  return [`add table ${table}`, `delete table ${table}`];
}

function textOf(element: string | { concat: [string, string] }): string {
  return typeof element === 'string' ? element : `"${element.concat[0]}" . ${element.concat[1]}`;
}
