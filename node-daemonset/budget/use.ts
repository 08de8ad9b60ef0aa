/** What each sliver has sent today, from counters that begin anew whenever a class, a line or the machine does. Pure. */
import { exemptClass } from '../egress/names.ts';
import type { Sliver } from '../sliver.ts';

/** Bytes at layer 2 that the kernel counted, to destinations of the budget and to exempt ones. */
export interface Sent {
  counted: number;
  exempt: number;
}

/** One sliver's, by `useKey`; one entry of the file. */
export interface Use {
  /** Whose counters these are; 0: its class is gone. */
  classId: number;
  /** Sent since the day began. */
  today: Sent;
  /** What the counters said last, by line. */
  seen: Record<string, Sent>;
  /** The limits that bite now, in bits/s. */
  limit?: number;
  exemptLimit?: number;
}

export interface Uses {
  /** Days since the epoch, UTC. */
  day: number;
  /** Changes whenever the machine starts: its counters are 0 then. */
  boot: string;
  uses: Record<string, Use>;
}

export const NO_USES: Uses = { day: 0, boot: '', uses: {} };
export const DAY_MS = 86_400_000;

/** Bytes of each class by HTB minor, by line. */
export type LineCounters = ReadonlyMap<string, ReadonlyMap<number, { bytes: number }>>;

/**
 * A budget belongs to the rcap's name, which is derived from the slice's: a slice that is deleted and made again has
 * spent what it spent.
 */
export function useKey({ rcap }: Pick<Sliver, 'rcap'>): string {
  return `${rcap.namespace}/${rcap.name}`;
}

/** Adds what was sent since the last call. The very same object where nothing changed. */
export function countUses(
  before: Uses,
  lines: LineCounters,
  slivers: readonly Pick<Sliver, 'rcap' | 'classId'>[],
  boot: string,
  now: number,
): Uses {
  const day = Math.floor(now / DAY_MS);
  const sameBoot = before.boot === boot;
  // a clock that was set back gives nobody a new budget
  const newDay = day > before.day;
  const uses: Record<string, Use> = {};
  let changed = newDay || !sameBoot || day < before.day;
  const classes = new Map(slivers.map((sliver) => [useKey(sliver), sliver.classId]));
  for (const key of new Set([...Object.keys(before.uses), ...classes.keys()])) {
    const was = before.uses[key];
    const classId = classes.get(key) ?? was?.classId ?? 0;
    const isSame = sameBoot && was?.classId === classId;
    const { added, seen } = read(lines, classId, isSame ? was.seen : {});
    const today = newDay || !was ? NOTHING : was.today;
    // gone, and its class with it: the number is somebody else's from now on
    const left = classes.has(key) || Object.keys(seen).length > 0 ? classId : 0;
    if (left === 0 && today.counted + today.exempt + added.counted + added.exempt === 0) {
      changed ||= was !== undefined;
      continue;
    }
    const isUnchanged = was && !newDay && left === was.classId && sameSeen(seen, was.seen);
    uses[key] = isUnchanged ? was : { ...was, classId: left, today: plus(today, added), seen };
    changed ||= !isUnchanged;
  }
  return changed ? { day, boot, uses } : before;
}

const NOTHING: Sent = { counted: 0, exempt: 0 };

/** What counters say now, and how much of it is new: one that fell began anew. */
function read(
  lines: LineCounters,
  classId: number,
  before: Readonly<Record<string, Sent>>,
): { added: Sent; seen: Record<string, Sent> } {
  let added = NOTHING;
  const seen: Record<string, Sent> = {};
  for (const [line, counters] of classId === 0 ? [] : lines) {
    const counted = counters.get(classId)?.bytes;
    const exempt = counters.get(exemptClass(classId))?.bytes;
    if (counted === undefined && exempt === undefined) continue;
    const now = { counted: counted ?? 0, exempt: exempt ?? 0 };
    const was = before[line] ?? NOTHING;
    seen[line] = now;
    added = plus(added, { counted: since(was.counted, now.counted), exempt: since(was.exempt, now.exempt) });
  }
  return { added, seen };
}

function since(was: number, now: number): number {
  return now >= was ? now - was : now;
}

function plus(a: Sent, b: Sent): Sent {
  return { counted: a.counted + b.counted, exempt: a.exempt + b.exempt };
}

function sameSeen(a: Readonly<Record<string, Sent>>, b: Readonly<Record<string, Sent>>): boolean {
  const lines = Object.keys(a);
  return (
    lines.length === Object.keys(b).length &&
    lines.every((line) => a[line]!.counted === b[line]?.counted && a[line]!.exempt === b[line]?.exempt)
  );
}
