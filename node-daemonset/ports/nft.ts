/** Speaks nftables: who owns which port of the node, and the rules that keep it so against rules of others. */
import type { Range } from './ranges.ts';

/** The table that carries our mark by its name. */
export const TABLE = 'inet slice_operator_ports';

const PORT = 'inet_proto . inet_service';
/** Every set and map with its type. Identifiers of ICMP stand where TCP and UDP have ports. */
const TYPES = {
  /** The addresses of which they are. */
  node4: 'ipv4_addr',
  node6: 'ipv6_addr',
  /** Every port that belongs to somebody. */
  owned: PORT,
  /** Those that processes of the node itself, its host-network slivers, may have. */
  hosted: PORT,
  /** Where packets to an owned port go: to the pod of its owner. */
  forward4: `${PORT} : ipv4_addr`,
  forward6: `${PORT} : ipv6_addr`,
  /** From which source an owned port is its owner's. */
  own4: `ipv4_addr . ${PORT}`,
  own6: `ipv6_addr . ${PORT}`,
  /** A pod that asks itself by the node's address. */
  self4: 'ipv4_addr . ipv4_addr',
  self6: 'ipv6_addr . ipv6_addr',
  /** Interfaces that lead out of the node; and those of them that slivers must not use, with the slivers. */
  outside: 'ifname',
  barred: 'ifname',
  sliver4: 'ipv4_addr',
  sliver6: 'ipv6_addr',
} as const;

export type SetName = keyof typeof TYPES;
export const SET_NAMES = Object.keys(TYPES) as SetName[];
/** Key and value as nftables prints them; of a set the value is ''. */
export type Elements = Record<SetName, Map<string, string>>;

/** What the rules depend on. */
export interface RuleFacts {
  /** Whether the node has addresses of the family: else there are no ports of it to keep. */
  v4: boolean;
  v6: boolean;
  /** Ports in place of those that belong to somebody else; none of them does. */
  instead: Range;
}

export interface ObservedTable {
  exists: boolean;
  /** Says by which rules the table works; undefined: by none, or not by all of them. */
  signature: string | undefined;
  elements: Elements;
}

/** Raised with every change of sets, chains or rules: a table of another version is replaced as a whole. */
const VERSION = 3;

export function noElements(): Elements {
  return Object.fromEntries(SET_NAMES.map((name) => [name, new Map<string, string>()])) as Elements;
}

export function signatureOf({ v4, v6, instead }: RuleFacts): string {
  return `${VERSION} ${v4 ? 'v4' : '-'} ${v6 ? 'v6' : '-'} ${instead.from}-${instead.to}`;
}

/** The ports in place of others' that the rules of a signature have. */
export function insteadOf(signature: string): Range {
  const [from, to] = signature.split(' ')[3]!.split('-').map(Number);
  return { from: from!, to: to! };
}

interface NftObject {
  set?: { name: string; elem?: unknown[] };
  map?: { name: string; elem?: unknown[] };
  rule?: { comment?: string };
}

/** `nft -j -n list table inet slice_operator_ports`; undefined: there is no such table. */
export function parseTable(json: string | undefined): ObservedTable {
  const elements = noElements();
  if (json === undefined) return { exists: false, signature: undefined, elements };
  const { nftables } = JSON.parse(json) as { nftables: NftObject[] };
  const comments = nftables.flatMap(({ rule }) => (rule ? [rule.comment ?? ''] : []));
  const signature = comments[0];
  const whole =
    signature !== undefined &&
    comments.join('\n') ===
      rulesOf(signature)
        .map(() => signature)
        .join('\n');
  if (!whole) return { exists: true, signature: undefined, elements };
  for (const { set, map } of nftables) {
    const named = set ?? map;
    if (!named || !(named.name in elements)) continue;
    for (const element of named.elem ?? []) {
      const [key, value] = map ? (element as [unknown, string]) : [element, ''];
      elements[named.name as SetName].set(keyOf(key), value);
    }
  }
  return { exists: true, signature, elements };
}

function keyOf(element: unknown): string {
  const concat = typeof element === 'object' ? (element as { concat?: unknown[] }).concat : undefined;
  return concat ? concat.map(String).join(' . ') : String(element);
}

/** Table, sets, chains and rules, in place of whatever was there. */
export function replaceTable(facts: RuleFacts): string[] {
  const signature = signatureOf(facts);
  return [
    ...removeTable(),
    `add table ${TABLE}`,
    ...SET_NAMES.map(
      (name) => `add ${name.startsWith('forward') ? 'map' : 'set'} ${TABLE} ${name} { type ${TYPES[name]}; }`,
    ),
    ...CHAINS.map(([name, base]) => `add chain ${TABLE} ${name}${base && ` { ${base}; policy accept; }`}`),
    ...rulesOf(signature).map((rule) => `add rule ${TABLE} ${rule} comment "${signature}"`),
  ];
}

/** Also where it is not there. */
export function removeTable(): string[] {
  return [`add table ${TABLE}`, `delete table ${TABLE}`];
}

export function addElements(name: SetName, elements: readonly (readonly [string, string])[]): string[] {
  if (elements.length === 0) return [];
  const texts = elements.map(([key, value]) => (value === '' ? written(name, key) : `${key} : ${value}`));
  return [`add element ${TABLE} ${name} { ${texts.join(', ')} }`];
}

export function removeElements(name: SetName, keys: readonly string[]): string[] {
  return keys.length === 0
    ? []
    : [`delete element ${TABLE} ${name} { ${keys.map((key) => written(name, key)).join(', ')} }`];
}

/** Names of interfaces may look like numbers. */
function written(name: SetName, key: string): string {
  return TYPES[name] === 'ifname' ? `"${key}"` : key;
}

/**
 * One before what is usual for NAT of destinations (-100) and of sources (100), and one after the latter. NAT is decided
 * once: a chain of ours at -102 that sends packets where they go anyway has them delivered on the node.
 */
const CHAINS: readonly (readonly [string, string])[] = [
  ['deliver', ''],
  ['arriving', 'type nat hook prerouting priority -101'],
  ['local', 'type nat hook output priority -101'],
  ['forwarded', 'type filter hook forward priority 0'],
  ['departing', 'type nat hook postrouting priority 99'],
  ['leaving', 'type filter hook postrouting priority 101'],
];

const PORTS = 'meta l4proto { 6, 17 }';
const ECHO = 'meta l4proto { 1, 58 }';
const ANY = 'meta l4proto { 1, 6, 17, 58 }';

/** The rules of one signature; none where it is not of this version. */
function rulesOf(signature: string): string[] {
  const [version, v4, v6, instead] = signature.split(' ');
  if (version !== String(VERSION)) return [];
  const families = [
    ...(v4 === 'v4' ? [{ n: '4', ip: 'ip', proto: 'ipv4' }] : []),
    ...(v6 === 'v6' ? [{ n: '6', ip: 'ip6', proto: 'ipv6' }] : []),
  ];
  // Not all that is local: a service proxy may have made services' addresses so.
  const catches = ['ip daddr @node4', 'ip6 daddr @node6'].map(
    (one) => `${one} ${PORTS} meta l4proto . th dport @owned jump deliver`,
  );
  return [
    'deliver dnat ip to meta l4proto . th dport map @forward4',
    'deliver dnat ip6 to meta l4proto . th dport map @forward6',
    // The owner's pod is not there: what is dropped leaves no trace that would lead the next packet astray.
    'deliver meta l4proto . th dport != @hosted drop',
    // To where it goes anyway: NAT is decided once, so that no hostPort, NodePort or external address of others gets it.
    'deliver dnat ip to ip daddr',
    'deliver dnat ip6 to ip6 daddr',
    ...catches.flatMap((one) => [`arriving ${one}`, `local ${one}`]),
    'forwarded ip saddr @sliver4 oifname @barred drop',
    'forwarded ip6 saddr @sliver6 oifname @barred drop',
    // A pod that says it is the node; with IPv4 the kernel itself drops it. Not by its port: an echo request has one, too.
    'forwarded fib saddr type local drop',
    // What the node's own sockets send from an address that is not the node's is not to become the node's by what follows.
    'departing meta skuid >= 0 fib saddr type != local return',
    ...families.flatMap(({ n, ip, proto }) => {
      const source = `${ip} saddr . meta l4proto . ct original proto-src`;
      const original = `ct original ${ip} saddr . meta l4proto . ct original proto-src`;
      const node = `fib saddr type local`;
      return [
        `departing ${ip} saddr . ${ip} daddr @self${n} ct status dnat masquerade`,
        // The owner's packets keep their port, as a port of the node's address; anybody else's from it get another.
        `departing oifname @outside ${ANY} fib saddr type != local ${source} @own${n} masquerade to :ct original proto-src`,
        `departing oifname @outside meta nfproto ${proto} ${ANY} fib saddr type != local meta l4proto . ct original proto-src @owned masquerade to :${instead}`,
        // Masquerade of others may choose any port, at random even: then the packet goes, and the next has another port.
        `leaving oifname @outside meta nfproto ${proto} ${PORTS} ct direction original ct status snat meta l4proto . th sport @owned ${node} ${original} != @own${n} drop`,
        `leaving oifname @outside meta nfproto ${proto} ${ECHO} ct direction original ct status snat meta l4proto . ct reply proto-src @owned ${node} ${original} != @own${n} drop`,
        // Answers of somebody to whom the port led before it had this owner.
        `leaving oifname @outside meta nfproto ${proto} ${PORTS} ct direction reply ct status dnat meta l4proto . th sport @owned ${node} ct reply ${ip} saddr . meta l4proto . ct reply proto-src != @own${n} drop`,
      ];
    }),
  ];
}
