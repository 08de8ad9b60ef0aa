/** The readings of all nodes as one table: what the operator answers, in words that anybody can read. */
import { csvRecord } from './csv.ts';
import type { Cell, Column, Reading } from './reading.ts';

/** What became of the question to one node. */
export interface NodeReading {
  node: string;
  /** `NotPublished`: its owner publishes no sensors. `Failed`: see `error`; its rows are not in the answer. */
  result: 'Answered' | 'NotPublished' | 'Failed';
  error?: string;
  /** When the node read it, in ms since the epoch by its own clock. */
  time?: number;
  /** It has more rows than fit into the answer. */
  truncated?: true;
}

export interface ClusterReading extends Reading {
  /** By name. Without a node's rows the answer is a partial one. */
  nodes: NodeReading[];
}

/** The first column of a ClusterReading. */
export const NODE_COLUMN: Column = { name: 'node', type: 'string', help: 'The node that answered.' };
/** The last column of its CSV. A sensor's own column with one of these names gets an underscore behind it. */
const ERROR_COLUMN = 'error';
const TAKEN: readonly string[] = [NODE_COLUMN.name, ERROR_COLUMN];

/**
 * One table, the nodes' in the order given. Columns that a node has not are null in its rows. Of what type a column is most
 * nodes decide. `maxRows`: of all together; each node has an equal part of them, before any has more. Pure; throws nothing:
 * what does not fit together is told of its node.
 */
export function planClusterReading(
  answered: readonly { node: string; reading: Reading }[],
  maxRows: number,
  time: number,
): { reading: Reading; nodes: NodeReading[] } {
  const columns: Column[] = [NODE_COLUMN];
  const rows: Cell[][] = [];
  const nodes: NodeReading[] = [];
  const all = answered.map(({ node, reading }) => ({ node, reading, named: reading.columns.map(renamed) }));
  const types = typesOf(all.map(({ named }) => named));
  const fits = all.filter(({ node, named }) => {
    const other = named.find(({ name, type }) => types.get(name) !== type);
    if (!other) return true;
    const error = `its column ${other.name} is of type ${other.type}, unlike that of other nodes`;
    nodes.push({ node, result: 'Failed', error });
    return false;
  });
  const parts = partsOf(
    fits.map(({ reading }) => reading.rows.length),
    maxRows,
  );
  for (const [i, { node, reading, named }] of fits.entries()) {
    for (const column of named) if (!columns.some(({ name }) => name === column.name)) columns.push(column);
    const places = named.map(({ name }) => columns.findIndex((column) => column.name === name));
    for (const row of reading.rows.slice(0, parts[i])) {
      const cells: Cell[] = [node];
      for (const [i, place] of places.entries()) cells[place] = row[i] ?? null;
      rows.push(cells);
    }
    const isCut = parts[i]! < reading.rows.length;
    nodes.push({ node, result: 'Answered', time: reading.time, ...(isCut && { truncated: true as const }) });
  }
  const full = rows.map((row) => Array.from(columns, (_, i) => row[i] ?? null));
  return { reading: { columns, rows: full, time }, nodes };
}

function renamed(column: Column): Column {
  return TAKEN.includes(column.name) ? { ...column, name: `${column.name}_` } : column;
}

/** By column; of two types with as many nodes the one that came first. */
function typesOf(tables: readonly (readonly Column[])[]): Map<string, Column['type']> {
  const counts = new Map<string, Map<Column['type'], number>>();
  for (const { name, type } of tables.flat()) {
    const known = counts.get(name) ?? new Map<Column['type'], number>();
    counts.set(name, known.set(type, (known.get(type) ?? 0) + 1));
  }
  return new Map([...counts].map(([name, known]) => [name, [...known].toSorted((a, b) => b[1] - a[1])[0]![0]]));
}

/** Of so many of each: what one does not need of its equal part is there for those who have more, in their order. */
function partsOf(wanted: readonly number[], most: number): number[] {
  const equal = Math.floor(most / Math.max(1, wanted.length));
  const parts = wanted.map((count) => Math.min(count, equal));
  let left = most - parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part, i) => {
    const more = Math.min(left, wanted[i]! - part);
    left -= more;
    return part + more;
  });
}

/** The rows, and for each node whose rows are not all there one with nothing but its name and why. */
export function clusterReadingCsv({ columns, rows, nodes }: ClusterReading): string {
  let text = csvRecord([...columns.map(({ name }) => name), ERROR_COLUMN]);
  for (const row of rows) text += csvRecord([...row.map((value) => value ?? ''), '']);
  for (const { node, result, error, truncated } of nodes) {
    const why = truncated ? 'there are more rows than fit into one answer: ask the node itself' : (error ?? result);
    if (truncated || result !== 'Answered') text += csvRecord([node, ...columns.slice(1).map(() => ''), why]);
  }
  return text;
}
