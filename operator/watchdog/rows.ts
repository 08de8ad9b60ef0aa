/** One column of a reading, by slice: read as what anybody might have sent. Pure. */
import type { Reading } from '../../crds/reading.ts';
import type { WatchdogSpec } from '../../crds/types.ts';

/** Whether a node may speak of a slice: where that has a right on the node. */
export type Believed = (node: string, slice: string) => boolean;

/**
 * What a node says of each key: `namespace/slice`, or `namespace` where whole namespaces are watched. Rows of one key are added
 * up. Throws where the reading has no such columns.
 */
export function valuesOf(
  { read: { column }, of, namespaces }: Pick<WatchdogSpec, 'read' | 'of' | 'namespaces'>,
  node: string,
  reading: Reading,
  believed: Believed,
): Map<string, number> {
  const at = (name: string): number => reading.columns.findIndex((one) => one.name === name);
  const [value, namespace, slice] = [at(column), at('namespace'), at('slice')];
  if (value < 0) throw new Error(`its answer has no column ${column}`);
  if (slice < 0) throw new Error('its answer has no column slice: only what is said of slices can be watched');
  const watched = namespaces && new Set(namespaces);
  const values = new Map<string, number>();
  for (const row of reading.rows) {
    const number = row[value];
    const name = namespace < 0 ? String(row[slice]) : `${row[namespace]}/${row[slice]}`;
    const [where = '', what] = name.split('/', 2);
    if (typeof number !== 'number' || !Number.isFinite(number) || number < 0 || !what) continue;
    if ((watched && !watched.has(where)) || !believed(node, name)) continue;
    const key = of === 'Namespace' ? where : name;
    values.set(key, (values.get(key) ?? 0) + number);
  }
  return values;
}
