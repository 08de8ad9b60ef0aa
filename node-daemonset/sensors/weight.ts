/** How much memory rows take, about: what is kept of readings is bounded by it. */
import type { Cell } from '../../crds/reading.ts';

/** Of one reading. */
export const MAX_WEIGHT = 2 ** 20;
/** A cell is no smaller, whatever is in it. */
const CELL = 8;

/** Characters as JSON, which has six for one that controls, and something for each cell. Pure. */
export function weightOf(rows: readonly (readonly Cell[])[], enough = MAX_WEIGHT): number {
  let weight = 0;
  for (const row of rows) {
    weight += CELL;
    for (const cell of row) weight += CELL + (typeof cell === 'string' ? JSON.stringify(cell) : String(cell)).length;
    // it is too much already
    if (weight > enough) return weight;
  }
  return weight;
}
