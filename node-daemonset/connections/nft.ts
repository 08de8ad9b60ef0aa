/**
 * Speaks nftables: which connections begin at sockets of the node's own network. Sockets that a sliver made there carry a
 * mark, and raw sockets that were opened for one another; nobody without CAP_NET_ADMIN can set or unset either.
 */
import { createHash } from 'node:crypto';
import { RAW_MARK, SLIVER_MARK } from '../bpf/layout.ts';
import { classIdText, isSliverClass } from '../egress/names.ts';
import type { Beginnings } from '../sources/nft.ts';

/** The table that carries our mark by its name. */
export const TABLE = 'inet slice_operator_connections';

/** What the rules depend on. */
export interface RuleFacts extends Beginnings {
  /** How deep pods' cgroups are in the tree of cgroup v2. */
  level: number;
  /** What sockets get that name no port, both ends included. */
  firstPort: number;
  lastPort: number;
}

/** What is told apart. HTB minors stand for the slivers whose they are. */
export interface Owners {
  /** UDP ports at which slivers on the node's network serve. */
  served: ReadonlySet<number>;
  /** Ports and identifiers that raw sockets may send from. */
  tcp: ReadonlyMap<number, number>;
  udp: ReadonlyMap<number, number>;
  icmp: ReadonlyMap<number, number>;
}

/** What is there, as far as it is known from the rules; elements by their digest. undefined: not all rules, or others. */
export interface ObservedTable {
  exists: boolean;
  rules: string | undefined;
  elements: string | undefined;
}

/** Raised with every change of sets, chains or rules. */
const VERSION = 2;

/** Buckets of who has begun nothing for so long would be full anyway. */
const FORGOTTEN = '1h';

const SETS = [
  'set served { type inet_service; }',
  'map raw { type inet_proto . inet_service : classid; }',
  'map echo4 { typeof icmp id : meta priority; }',
  'map echo6 { typeof icmpv6 id : meta priority; }',
  // filled by the kernel
  `set begun { type cgroupsv2; size 65536; timeout ${FORGOTTEN}; flags dynamic, timeout; }`,
  `set begun_raw { typeof meta priority; size 65536; timeout ${FORGOTTEN}; flags dynamic, timeout; }`,
];

const CHAINS = {
  /** Of what comes to a socket. */
  answers: 'type filter hook input priority -150; policy accept;',
  /** Where they are known, and not yet remembered: what is dropped there takes no room. */
  beginning: 'type filter hook output priority -150; policy accept;',
};

/** Holds one rule that never runs, and whose comment is the digest of all elements. */
const DIGEST = 'digest';

function rulesOf({ perSecond, burst, level, firstPort, lastPort }: RuleFacts): string[] {
  const many = `limit rate over ${perSecond}/second burst ${burst} packets`;
  return [
    // A port that the kernel chose is a client's. Whom that asked is what the kernel remembers of its connections.
    `answers udp dport ${firstPort}-${lastPort} udp dport != @served ct direction original socket mark ${SLIVER_MARK} drop`,
    // One chain for all of it, and what the node itself sends is let go at once: each packet passes here.
    'beginning meta mark 0 accept',
    // Not `ct state new`: that is every packet of a flow that nobody answers.
    `beginning meta mark ${SLIVER_MARK} ct status & confirmed == 0 update @begun { socket cgroupv2 level ${level} ${many} } drop`,
    `beginning meta mark != ${RAW_MARK} accept`,
    // The class is written anew by whoever judges the packet, so that it can say here whose it is. What is nobody's will be
    // dropped there, which is after connections are remembered: all of that has one bucket.
    'beginning meta priority set none',
    'beginning meta l4proto { 6, 17 } meta priority set meta l4proto . th sport map @raw',
    'beginning icmp type echo-request meta priority set icmp id map @echo4',
    'beginning icmpv6 type echo-request meta priority set icmpv6 id map @echo6',
    `beginning ct status & confirmed == 0 update @begun_raw { meta priority ${many} } drop`,
  ];
}

export function rulesText({ perSecond, burst, level, firstPort, lastPort }: RuleFacts): string {
  return `connections, ${VERSION}, ${perSecond}/${burst}, ${level}, ${firstPort}-${lastPort}`;
}

export function elementsText(owners: Owners): string {
  return createHash('sha256').update(elementsOf(owners).join('\n')).digest('hex').slice(0, 32);
}

interface NftObject {
  chain?: { name: string; hook?: string };
  rule?: { chain: string; comment?: string };
}

/**
 * `nft -j -t list table`, without elements: to name the cgroups among them nft would walk through all of the tree. What
 * somebody else changed in them is not seen.
 */
export function parseTable(json: string | undefined, facts: RuleFacts): ObservedTable {
  if (json === undefined) return { exists: false, rules: undefined, elements: undefined };
  const objects = (JSON.parse(json) as { nftables: NftObject[] }).nftables;
  const comments = objects.flatMap(({ rule }) => (rule && rule.chain !== DIGEST ? [rule.comment] : []));
  const hooks = objects.filter(({ chain }) => chain?.hook !== undefined);
  const [rules] = comments;
  const isWhole =
    comments.length === rulesOf(facts).length &&
    comments.every((comment) => comment === rules) &&
    hooks.length === Object.keys(CHAINS).length;
  const elements = objects.find(({ rule }) => rule?.chain === DIGEST)?.rule?.comment;
  return { exists: true, rules: isWhole ? rules : undefined, elements };
}

/** Everything, in one transaction with whatever was there. */
export function replaceTable(facts: RuleFacts, owners: Owners): string[] {
  return [
    ...removeTable(),
    `add table ${TABLE}`,
    ...SETS.map((set) => `add ${set.replace(' ', ` ${TABLE} `)}`),
    ...Object.entries(CHAINS).map(([name, base]) => `add chain ${TABLE} ${name} { ${base} }`),
    `add chain ${TABLE} ${DIGEST}`,
    ...rulesOf(facts).map((rule) => `add rule ${TABLE} ${rule} comment "${rulesText(facts)}"`),
    ...replaceElements(owners),
  ];
}

/** The elements alone: buckets stay as full as they are. */
export function replaceElements(owners: Owners): string[] {
  return [
    ...['set served', 'map raw', 'map echo4', 'map echo6'].map((set) => `flush ${set.replace(' ', ` ${TABLE} `)}`),
    ...elementsOf(owners),
    `flush chain ${TABLE} ${DIGEST}`,
    `add rule ${TABLE} ${DIGEST} accept comment "${elementsText(owners)}"`,
  ];
}

/** Also where it is not there. */
export function removeTable(): string[] {
  return [`add table ${TABLE}`, `delete table ${TABLE}`];
}

function elementsOf({ served, tcp, udp, icmp }: Owners): string[] {
  const pairs = (owners: ReadonlyMap<number, number>, before = ''): string[] =>
    [...owners].map(([port, minor]) => `${before}${checked(port)} : ${classText(minor)}`);
  const sets = {
    served: [...served].map(checked).map(String),
    raw: [...pairs(tcp, '6 . '), ...pairs(udp, '17 . ')],
    echo4: pairs(icmp),
    echo6: pairs(icmp),
  };
  return Object.entries(sets).flatMap(([name, elements]) =>
    elements.length > 0 ? [`add element ${TABLE} ${name} { ${elements.toSorted().join(', ')} }`] : [],
  );
}

function checked(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`${port} is no port for nftables`);
  return port;
}

function classText(minor: number): string {
  if (!isSliverClass(minor)) throw new Error(`${minor} is no class of a sliver`);
  return classIdText(minor);
}
