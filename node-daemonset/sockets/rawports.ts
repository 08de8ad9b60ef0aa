/**
 * Ports that user-level TCP and UDP answer for: the kernel, which knows no socket there, must neither reset their
 * connections nor say that the port is unreachable; and what is sent to them must be delivered on the node, whatever pod the
 * port leads to else.
 */
import { TABLE } from '../egress/names.ts';

export interface RawPorts {
  tcp: readonly number[];
  udp: readonly number[];
}

const RAW_TCP_SET = 'raw_tcp';
const RAW_UDP_SET = 'raw_udp';
/** The same as raw_udp, of the type that a quoted packet's port has. */
const QUOTED_SET = 'raw_udp_quoted';
/** NAT is decided once: these come before the chains that lead ports to pods, by one. */
const NAT_PRIORITY = -102;
const CHAINS = [
  ['raw_ports', 'type filter hook output priority filter'],
  ['raw_arriving', `type nat hook prerouting priority ${NAT_PRIORITY}`],
  ['raw_local', `type nat hook output priority ${NAT_PRIORITY}`],
] as const;
const CHAIN_NAMES: ReadonlySet<string> = new Set(CHAINS.map(([name]) => name));

/** To where it goes anyway. */
const HERE = [`tcp dport @${RAW_TCP_SET}`, `udp dport @${RAW_UDP_SET}`].flatMap((port) =>
  ['ip', 'ip6'].map((ip) => `${port} fib daddr type local dnat ${ip} to ${ip} daddr`),
);

/** A reset of the kernel's own has no socket with a file behind it, and so no uid; the user-level TCP's has one. */
const QUIET = [
  `tcp flags & rst == rst tcp sport @${RAW_TCP_SET} meta skuid >= 0 accept`,
  `tcp flags & rst == rst tcp sport @${RAW_TCP_SET} counter drop`,
  `icmp type destination-unreachable icmp code port-unreachable @th,136,8 17 @th,240,16 @${QUOTED_SET} counter drop`,
  `icmpv6 type destination-unreachable icmpv6 code port-unreachable @th,112,8 17 @th,400,16 @${QUOTED_SET} counter drop`,
];

const RULES = [
  ...QUIET.map((rule) => `raw_ports ${rule}`),
  ...['raw_arriving', 'raw_local'].flatMap((chain) => HERE.map((rule) => `${chain} ${rule}`)),
];

/** In each rule's comment. Raised with every change of the rules. */
const VERSION = 'raw ports, 1';

/** Where all rules are there: their counters go on. */
export function planElements({ tcp, udp }: RawPorts): string {
  const elements = (set: string, ports: readonly number[]): string[] => [
    `flush set ${TABLE} ${set}`,
    ...(ports.length > 0 ? [`add element ${TABLE} ${set} { ${ports.map(checked).join(', ')} }`] : []),
  ];
  return [...elements(RAW_TCP_SET, tcp), ...elements(RAW_UDP_SET, udp), ...elements(QUOTED_SET, udp), ''].join('\n');
}

/** Makes it all so, in one transaction. */
export function planRuleset(ports: RawPorts): string {
  return [
    `add table ${TABLE}`,
    `add set ${TABLE} ${RAW_TCP_SET} { type inet_service; }`,
    `add set ${TABLE} ${RAW_UDP_SET} { type inet_service; }`,
    `add set ${TABLE} ${QUOTED_SET} { typeof @th,240,16; }`,
    ...CHAINS.flatMap(([name, base]) => [
      `add chain ${TABLE} ${name} { ${base}; policy accept; }`,
      `flush chain ${TABLE} ${name}`,
    ]),
    ...RULES.map((rule) => `add rule ${TABLE} ${rule} comment "${VERSION}"`),
    planElements(ports),
  ].join('\n');
}

interface NftObject {
  set?: { name: string; elem?: unknown[] };
  rule?: { chain: string; comment?: string };
}

/**
 * What there is of it in `nft -j list table`; undefined: there is no such table. 'none': nothing at all, 'other': not all of
 * it, or of another version.
 */
export function parseRuleset(output: string | undefined): RawPorts | 'none' | 'other' {
  if (output === undefined) return 'none';
  const { nftables } = JSON.parse(output) as { nftables: NftObject[] };
  const comments = nftables.flatMap(({ rule }) => (rule && CHAIN_NAMES.has(rule.chain) ? [rule.comment] : []));
  const found = new Map(nftables.flatMap(({ set }) => (set ? [[set.name, set.elem ?? []] as const] : [])));
  const [tcp, udp] = [found.get(RAW_TCP_SET), found.get(RAW_UDP_SET)] as (number[] | undefined)[];
  if (comments.length === 0 && !tcp && !udp) return 'none';
  const isWhole = comments.length === RULES.length && comments.every((comment) => comment === VERSION);
  return isWhole && tcp && udp ? { tcp, udp } : 'other';
}

/** Takes chains and sets away; what is not there can't be deleted, and is made first. */
export function planRemoval(): string {
  const sets = [RAW_TCP_SET, RAW_UDP_SET, QUOTED_SET];
  return [
    planRuleset({ tcp: [], udp: [] }).trimEnd(),
    ...CHAINS.map(([name]) => `delete chain ${TABLE} ${name}`),
    ...sets.map((set) => `delete set ${TABLE} ${set}`),
    '',
  ].join('\n');
}

function checked(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`${port} is no port for nftables`);
  return port;
}
