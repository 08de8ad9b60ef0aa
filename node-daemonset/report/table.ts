/** What each sliver was promised and what the kernel gave it, for people and programs on the node. */
import { formatRate } from '../../crds/quantity.ts';
import type { Sliver } from '../sliver.ts';

export interface SliverRow {
  pod: string;
  namespace: string;
  name: string;
  slice: string;
  standing: Sliver['standing'];
  /** Why it is not entitled; empty where it is. */
  why: string;
  /** 1/1000 of the node */
  shares: number;
  excess: 'Share' | 'None';
  /** bits/s */
  guarantee: number;
  /** bits/s */
  limit: number;
  classId: string;
  network: Sliver['network'];
  addresses: string[];
  /** Nanoseconds of CPU used since the pod began; null where it has no cgroup. */
  cpuTime: number | null;
  /** Bytes at layer 2 sent through its class; null where it has none. */
  bytesSent: number | null;
}

export function rowOf(
  sliver: Sliver,
  why: string,
  cpuTime: number | undefined,
  bytesSent: number | undefined,
): SliverRow {
  const { id, rcap, slice, standing, amounts, classId, network, addresses, restraintLimit = Infinity } = sliver;
  return {
    pod: id,
    namespace: rcap.namespace,
    name: rcap.name,
    slice: slice ?? '',
    standing,
    why,
    shares: amounts.shares,
    excess: amounts.excess,
    guarantee: amounts.egressGuarantee,
    limit: Math.min(amounts.egressLimit, restraintLimit),
    classId: `1:${classId.toString(16)}`,
    network,
    addresses,
    cpuTime: cpuTime ?? null,
    bytesSent: bytesSent ?? null,
  };
}

const COLUMNS: readonly [string, (row: SliverRow) => string][] = [
  ['SLIVER', (row) => `${row.namespace}/${row.name}`],
  ['SLICE', (row) => row.slice],
  ['STANDING', (row) => row.standing],
  ['WHY', (row) => row.why || '-'],
  ['SHARES', (row) => String(row.shares)],
  ['CPU-SECONDS', (row) => (row.cpuTime === null ? '-' : (row.cpuTime / 1e9).toFixed(2))],
  ['GUARANTEE', (row) => formatRate(row.guarantee)],
  ['LIMIT', (row) => formatRate(row.limit)],
  ['BYTES-SENT', (row) => (row.bytesSent === null ? '-' : String(row.bytesSent))],
  ['CLASS', (row) => row.classId],
  ['ADDRESSES', (row) => row.addresses.join(',') || (row.network === 'Host' ? 'node' : '-')],
];

export function formatTable(rows: readonly SliverRow[]): string {
  return alignColumns([COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))]);
}

/** A line a row, with columns as wide as their longest cell; the first row is the heading. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}
