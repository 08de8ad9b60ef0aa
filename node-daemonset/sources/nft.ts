/**
 * Speaks nftables: what has a sliver's address and does not come from it is dropped as it arrives. Of packets the interface
 * counts that the node gets them by; of frames on a bridge the port, or a pod's neighbours could send in its name. And of
 * connections that a sliver begins, no more are let in than leave the others room in the node's table.
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

/** In each rule's comment, with what the rules depend on. Raised with every change of sets, chains or rules. */
const VERSION = 'sources, 2';

const CHAINS = {
  /** Before connections are remembered and addresses rewritten: what is forged leaves no trace. */
  arriving: 'type filter hook prerouting priority -300; policy accept;',
  /** Where they are known, and not yet remembered: what is dropped there takes no room. */
  beginning: 'type filter hook prerouting priority -150; policy accept;',
};

/** Connections that one address of a sliver's may begin: so many a second, and so many at once after a pause. */
export interface Beginnings {
  perSecond: number;
  burst: number;
}

/** An eighth of the table for what the kernel remembers two minutes at most: that is all but established TCP. */
export function beginningsOf(tableSize: number): Beginnings {
  return {
    perSecond: Math.max(Math.floor(tableSize / 8 / 120), 50),
    burst: Math.max(Math.floor(tableSize / 16), 1000),
  };
}

/** Buckets of addresses: the kernel fills these sets. */
const BUCKETS = { begun4: 'type ipv4_addr', begun6: 'type ipv6_addr' };

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

function rulesOf(table: Table, { perSecond, burst }: Beginnings): string[] {
  if (table === 'bridge slice_operator_sources') {
    return [
      'arriving ip saddr @address4 iifname . ip saddr != @by4 drop',
      'arriving ip6 saddr @address6 iifname . ip6 saddr != @by6 drop',
      // Nor does anybody else say where the address is.
      'arriving arp saddr ip @address4 iifname . arp saddr ip != @by4 drop',
      `arriving icmpv6 type nd-neighbor-advert ${TARGET} @target iifname . ${TARGET} != @targetBy drop`,
    ];
  }
  const many = `limit rate over ${perSecond}/second burst ${burst} packets`;
  return [
    // The node's own programs send to it from any address, as transparent proxies do.
    'arriving iifname != "lo" ip saddr @address4 iifname . ip saddr != @by4 drop',
    'arriving iifname != "lo" ip6 saddr @address6 iifname . ip6 saddr != @by6 drop',
    // Not `ct state new`: that is every packet of a flow that nobody answers.
    `beginning ct status & confirmed == 0 iifname . ip saddr @by4 add @begun4 { ip saddr ${many} } drop`,
    `beginning ct status & confirmed == 0 iifname . ip6 saddr @by6 add @begun6 { ip6 saddr ${many} } drop`,
  ];
}

function versionOf({ perSecond, burst }: Beginnings): string {
  return `${VERSION}, ${perSecond}/${burst}`;
}

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
  set?: { name: string; elem?: unknown[] };
  chain?: { hook?: string };
  rule?: { comment?: string };
}

/** `nft -j list table`. */
export function parseTable(table: Table, json: string, beginnings: Beginnings): Observed {
  const objects = (JSON.parse(json) as { nftables: NftObject[] }).nftables;
  const comments = objects.flatMap(({ rule }) => (rule ? [rule.comment] : []));
  const [version, rules] = [versionOf(beginnings), rulesOf(table, beginnings)];
  const isWhole = comments.length === rules.length && comments.every((comment) => comment === version);
  const hooks = objects.filter(({ chain }) => chain?.hook === 'prerouting');
  if (!isWhole || hooks.length !== Object.keys(CHAINS).length) return undefined;
  const sets = objects.flatMap(({ set }) => (set && set.name in SETS[table] ? [set] : []));
  return Object.fromEntries(sets.map(({ name, elem = [] }) => [name, (elem as Element[]).map(textOf).sort()]));
}

/** In one transaction with whatever was there: no packet finds less than one of the two. */
export function replaceTable(table: Table, elements: Elements, beginnings: Beginnings): string[] {
  return [
    ...removeTable(table),
    `add table ${table}`,
    ...Object.entries(SETS[table]).map(([name, type]) => `add set ${table} ${name} { ${type}; }`),
    ...Object.entries(BUCKETS).map(
      ([name, type]) => `add set ${table} ${name} { ${type}; size 65536; flags dynamic; }`,
    ),
    ...Object.entries(CHAINS).map(([name, base]) => `add chain ${table} ${name} { ${base} }`),
    ...rulesOf(table, beginnings).map((rule) => `add rule ${table} ${rule} comment "${versionOf(beginnings)}"`),
    ...Object.entries(elements).flatMap(([name, all]) =>
      all.length > 0 ? [`add element ${table} ${name} { ${all.join(', ')} }`] : [],
    ),
  ];
}

/** Also where it is not there. */
export function removeTable(table: Table): string[] {
  return [`add table ${table}`, `delete table ${table}`];
}

type Element = string | { concat: [string, string] };

function textOf(element: Element): string {
  return typeof element === 'string' ? element : `"${element.concat[0]}" . ${element.concat[1]}`;
}
