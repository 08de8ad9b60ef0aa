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

/** The first column of a ClusterReading. A sensor's own column of that name gets an underscore behind it. */
export const NODE_COLUMN: Column = { name: 'node', type: 'string', help: 'The node that answered.' };

/**
 * One table, the nodes' in the order given. Columns that a node has not are null in its rows. `maxRows`: of all
 * together. Pure; throws nothing: what does not fit together is told of its node.
 */
export function planClusterReading(
  answered: readonly { node: string; reading: Reading }[],
  maxRows: number,
  time: number,
): { reading: Reading; nodes: NodeReading[] } {
  const columns: Column[] = [NODE_COLUMN];
  const rows: Cell[][] = [];
  const nodes: NodeReading[] = [];
  for (const { node, reading } of answered) {
    const renamed = reading.columns.map((column): Column =>
      column.name === NODE_COLUMN.name ? { ...column, name: `${column.name}_` } : column,
    );
    const other = renamed.find(({ name, type }) => columns.some((known) => known.name === name && known.type !== type));
    if (other) {
      const error = `its column ${other.name} is of type ${other.type}, unlike that of other nodes`;
      nodes.push({ node, result: 'Failed', error });
      continue;
    }
    for (const column of renamed) if (!columns.some(({ name }) => name === column.name)) columns.push(column);
    const places = renamed.map(({ name }) => columns.findIndex((column) => column.name === name));
    const some = reading.rows.slice(0, Math.max(0, maxRows - rows.length));
    for (const row of some) {
      const cells: Cell[] = [node];
      for (const [i, place] of places.entries()) cells[place] = row[i] ?? null;
      rows.push(cells);
    }
    const isCut = some.length < reading.rows.length;
    nodes.push({ node, result: 'Answered', time: reading.time, ...(isCut && { truncated: true as const }) });
  }
  const full = rows.map((row) => Array.from(columns, (_, i) => row[i] ?? null));
  return { reading: { columns, rows: full, time }, nodes };
}

/** The rows, and for each node whose rows are not all there one with nothing but its name and why. */
export function clusterReadingCsv({ columns, rows, nodes }: ClusterReading): string {
  let text = csvRecord([...columns.map(({ name }) => name), 'error']);
  for (const row of rows) text += csvRecord([...row.map((value) => value ?? ''), '']);
  for (const { node, result, error, truncated } of nodes) {
    const why = truncated ? 'there are more rows than fit into one answer: ask the node itself' : (error ?? result);
    if (truncated || result !== 'Answered') text += csvRecord([node, ...columns.slice(1).map(() => ''), why]);
  }
  return text;
}
