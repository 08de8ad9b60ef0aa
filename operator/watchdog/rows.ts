/** One column of a reading, row by row: read as what anybody might have sent. Pure. */
import type { Cell, Reading } from '../../crds/reading.ts';
import type { WatchdogSpec } from '../../crds/types.ts';

/** Whether a node may speak of a slice: where that has a right on the node. */
export type Believed = (node: string, slice: string) => boolean;

/** One row about one slice. */
export interface WatchedRow {
  /** `namespace/slice` */
  slice: string;
  /** By what the row is told from others and known again. */
  id: string;
  /** Whether `id` names what the slice has once and never again; else it is all of the row's words, which may change. */
  isOnce: boolean;
  /** undefined: the node does not know it, or it is no number that makes sense. */
  value: number | undefined;
}

/** Columns of what there is once: a pod that is made anew counts from 0, and a new hour does. */
const ONCE = ['pod', 'since'];
/** Whoever says more than a program can count says nothing; sums of many rows stay finite. */
export const MOST = Number.MAX_SAFE_INTEGER;

/** In their order. Throws where the reading has no such columns. */
export function rowsOf(
  { read: { column }, namespaces }: Pick<WatchdogSpec, 'read' | 'namespaces'>,
  { columns, rows }: Reading,
): WatchedRow[] {
  const at = (name: string): number => columns.findIndex((one) => one.name === name);
  const [value, namespace, slice] = [at(column), at('namespace'), at('slice')];
  if (value < 0) throw new Error(`its answer has no column ${column}`);
  if (slice < 0) throw new Error('its answer has no column slice: only what is said of slices can be watched');
  const words = [...columns.keys()].filter((i) => columns[i]!.type === 'string' && i !== value);
  const once = ONCE.map(at).filter((i) => i >= 0 && i !== value);
  const watched = namespaces && new Set(namespaces);
  return rows.flatMap((row): WatchedRow[] => {
    const name = namespace < 0 ? String(row[slice]) : `${row[namespace]}/${row[slice]}`;
    const [where = '', what] = name.split('/', 2);
    if (!what || (watched && !watched.has(where))) return [];
    const isOnce = once.some((i) => row[i] !== null && row[i] !== '');
    const id = JSON.stringify([name, ...(isOnce ? once : words).map((i) => row[i] ?? null)]);
    return [{ slice: name, id, isOnce, value: numberOf(row[value]) }];
  });
}

/** `namespace/slice`, or `namespace` where whole namespaces are watched. */
export function keyOfSlice({ of }: Pick<WatchdogSpec, 'of'>, slice: string): string {
  return of === 'Namespace' ? slice.split('/', 1)[0]! : slice;
}

function numberOf(cell: Cell | undefined): number | undefined {
  return typeof cell === 'number' && cell >= 0 && cell <= MOST ? cell : undefined;
}
