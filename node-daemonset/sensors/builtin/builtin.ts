/** How a builtin is written: its columns once, its rows as objects. */
import type { Cell, Column, Reading } from '../../../crds/reading.ts';
import { type Asker, SensorError, type SensorInfo } from '../registry.ts';
import type { Source } from '../source.ts';

export interface Builtin {
  name: string;
  description: string;
  columns: readonly Column[];
  arguments?: string;
  /** Default 5 s. */
  cacheMs?: number;
  timeoutMs?: number;
  access?: SensorInfo['access'];
  isOwn?: Source['isOwn'];
  /** Default, none: what it says is exported otherwise. */
  exported?: boolean;
  rows(args: readonly string[], asker: Asker, signal: AbortSignal): Promise<readonly Row[]> | readonly Row[];
}

/** By the columns' names; what is missing or undefined has no value. */
export type Row = Readonly<Record<string, Cell | undefined>>;

const CACHE_MS = 5_000;
const TIMEOUT_MS = 10_000;

export function builtin(one: Builtin, now: () => number): Source {
  const { name, description, columns, cacheMs = CACHE_MS, timeoutMs = TIMEOUT_MS } = one;
  const info: SensorInfo = {
    name,
    origin: 'Builtin',
    type: 'Snapshot',
    description,
    ...(one.arguments !== undefined && { arguments: one.arguments }),
    columns,
    cacheMs,
    access: one.access ?? 'Public',
    exported: one.exported ?? false,
  };
  return {
    info,
    timeoutMs,
    ...(one.isOwn && { isOwn: one.isOwn }),
    async read(args, asker, signal): Promise<Reading> {
      const rows = await one.rows(args, asker, signal);
      return { columns, rows: rows.map((row) => columns.map((column) => row[column.name] ?? null)), time: now() };
    },
  };
}

export const SLICE_ARGUMENT = '[[namespace/]slice]';

/** Which slices are asked for: all, those of a name in every namespace, or one. Throws SensorError. */
export function sliceFilter(args: readonly string[]): (of: { namespace: string; slice: string }) => boolean {
  if (args.length > 2) throw new SensorError('BadArguments', `give ${SLICE_ARGUMENT} and nothing more`);
  const [namespace, slice] = args.length === 2 ? args : [undefined, args[0]];
  return (of) => (slice === undefined || of.slice === slice) && (namespace === undefined || of.namespace === namespace);
}
