/**
 * What a node answers about the packets that left it: its page's JSON and CSV. It is a part of the contract as the kinds
 * are: the operator asks every node in these words, and so can anybody else.
 */
import { csvRecord } from './csv.ts';

/** Who sent: a sliver's rcap, and who answers for it. Empty where the packets are nobody's among the slivers. */
export interface FlowOwner {
  namespace: string;
  slice: string;
  /** Name of the rcap. */
  capability: string;
  contact: string;
}

/**
 * `Flow`: one sender, destination, protocol and pair of ports. `Overflow`: what a slice sent beyond the flows that are
 * told apart. `Unattributed`: what no slice sent, as far as the node can tell. The last two have no addresses, so they
 * are in the answers to all questions for addresses.
 */
export type FlowKind = 'Flow' | 'Overflow' | 'Unattributed';

export interface FlowRow extends FlowOwner {
  kind: FlowKind;
  /** RFC 3339, in ms: first and last packet. */
  first: string;
  last: string;
  /** IP protocol number; 0 where `kind` is not `Flow`. */
  protocol: number;
  source: string;
  /** For ICMP echo the identifier. */
  sourcePort: number;
  destination: string;
  /** Of ICMP its type * 256 + code. */
  destinationPort: number;
  /** All flags seen, OR-ed, as in the header's byte. */
  tcpFlags: number;
  packets: number;
  /** As they were on the wire, at layer 2. */
  bytes: number;
}

/** Why an answer is not all there is: more rows than asked for, or more to read than time allows. */
export type Truncation = 'Rows' | 'Time';

interface Covered {
  node: string;
  /** RFC 3339: what was asked for. */
  from: string;
  to: string;
  /** RFC 3339: the oldest that this node still has; undefined where it has nothing. */
  since?: string;
  truncated?: Truncation;
  /** What a reader should know: records that could not be kept, or not be read. */
  notes: string[];
}

export interface FlowAnswer extends Covered {
  /** The newest first; the rows without addresses last. */
  flows: FlowRow[];
}

/** All flows of one slice to one destination. */
export interface PairRow extends FlowOwner {
  kind: FlowKind;
  destination: string;
  first: string;
  last: string;
  flows: number;
  packets: number;
  bytes: number;
}

export interface PairAnswer extends Covered {
  /** The most bytes first. */
  pairs: PairRow[];
}

/** What one slice sent in one hour. */
export interface SliceSum {
  /** RFC 3339: when the hour began. A slice has one row for each hour. */
  since: string;
  namespace: string;
  slice: string;
  packets: number;
  /** As they were on the wire, at layer 2. */
  bytes: number;
}

/** All that slices sent in the hour that is, and in the one before. */
export interface SumAnswer {
  node: string;
  sums: SliceSum[];
  /** There are more slices than fit. */
  truncated?: 'Rows';
}

/** What became of the question to one node. */
export interface NodeAnswer {
  node: string;
  /** `NotPublished`: its owner publishes no page. `Failed`: see `error`; what it sent is not in the answer. */
  result: 'Answered' | 'NotPublished' | 'Failed';
  error?: string;
  truncated?: Truncation;
  since?: string;
  notes?: string[];
}

/** The answers of all nodes to one question. */
export interface ClusterAnswer {
  from: string;
  to: string;
  /** By name. Without a node's flows the answer is a partial one. */
  nodes: NodeAnswer[];
  /** There are more rows than were asked for. */
  truncated?: 'Rows';
  /** The newest first; the rows without addresses last. */
  flows: (FlowRow & { node: string })[];
}

const PROTOCOLS: Readonly<Record<string, number>> = { ICMP: 1, TCP: 6, UDP: 17, ICMPv6: 58 };
const NAMES = new Map(Object.entries(PROTOCOLS).map(([name, number]) => [number, name]));

export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}

/** By name, whatever its case, or by number; undefined for anything else. */
export function parseProtocol(text: string): number | undefined {
  const named = Object.entries(PROTOCOLS).find(([name]) => name.toLowerCase() === text.toLowerCase());
  if (named) return named[1];
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : undefined;
}

const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/** `SYN ACK` for 0x12. */
export function flagNames(flags: number): string {
  return FLAGS.filter((_, bit) => flags & (1 << bit)).join(' ');
}

const FLOW_COLUMNS: readonly (readonly [string, (row: FlowRow) => string | number])[] = [
  ['kind', (row) => row.kind],
  ['first', (row) => row.first],
  ['last', (row) => row.last],
  ['namespace', (row) => row.namespace],
  ['slice', (row) => row.slice],
  ['capability', (row) => row.capability],
  ['contact', (row) => row.contact],
  ['protocol', (row) => (row.kind === 'Flow' ? protocolName(row.protocol) : '')],
  ['source', (row) => row.source],
  ['source_port', (row) => (row.kind === 'Flow' ? row.sourcePort : '')],
  ['destination', (row) => row.destination],
  ['destination_port', (row) => (row.kind === 'Flow' ? row.destinationPort : '')],
  ['tcp_flags', (row) => flagNames(row.tcpFlags)],
  ['packets', (row) => row.packets],
  ['bytes', (row) => row.bytes],
];

const PAIR_COLUMNS: readonly (readonly [string, (row: PairRow) => string | number])[] = [
  ['kind', (row) => row.kind],
  ['destination', (row) => row.destination],
  ['namespace', (row) => row.namespace],
  ['slice', (row) => row.slice],
  ['capability', (row) => row.capability],
  ['contact', (row) => row.contact],
  ['first', (row) => row.first],
  ['last', (row) => row.last],
  ['flows', (row) => row.flows],
  ['packets', (row) => row.packets],
  ['bytes', (row) => row.bytes],
];

/** Each row after the name of the node that it is of. */
export function flowsCsv(rows: Iterable<FlowRow & { node: string }>): string {
  return table(FLOW_COLUMNS, rows);
}

/** The same, and for each node that did not answer a row with nothing but its name and why. */
export function clusterCsv({ flows, nodes }: ClusterAnswer): string {
  let text = csvRecord(['node', ...FLOW_COLUMNS.map(([name]) => name), 'error']);
  for (const row of flows) text += csvRecord([row.node, ...FLOW_COLUMNS.map(([, value]) => value(row)), '']);
  for (const { node, result, error } of nodes) {
    if (result !== 'Answered') text += csvRecord([node, ...FLOW_COLUMNS.map(() => ''), error ?? result]);
  }
  return text;
}

export function pairsCsv(rows: Iterable<PairRow & { node: string }>): string {
  return table(PAIR_COLUMNS, rows);
}

function table<T>(
  columns: readonly (readonly [string, (row: T) => string | number])[],
  rows: Iterable<T & { node: string }>,
): string {
  let text = csvRecord(['node', ...columns.map(([name]) => name)]);
  for (const row of rows) text += csvRecord([row.node, ...columns.map(([, value]) => value(row))]);
  return text;
}
