/** The status of a Watchdog: what it sees, whom it restrains, and from what it goes on after a restart. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { setCondition, WatchdogCondition, WatchdogReason, type Condition } from '../../crds/conditions.ts';
import { shortHash } from '../../crds/names.ts';
import type { Watchdog, WatchdogSpec, WatchdogStatus, WatchedSlice } from '../../crds/types.ts';
import { first, plural } from '../slice/plan/wording.ts';
import type { Memory } from './plan.ts';
import { splitKey } from './restraint.ts';
import { NO_TOTALS, type Totals } from './totals.ts';

/** Sums that are shown of those with which nothing is the matter. */
const LARGEST = 20;
const MOST = 120;
/** Sums change with every reading; they are written at least so often. */
const WRITE_MS = 60_000;

export interface WatchView {
  memory: Memory;
  totals: Totals;
  held: number;
  answered: number;
  /** Who did not answer, and why. */
  silent: readonly string[];
  tooMany: readonly string[];
  /** Why nothing could be read, or done; what keeps it from its work comes first. */
  problem: { reason: string; message: string } | undefined;
  /** When it was read; undefined before the first reading. */
  time: number | undefined;
}

export function planWatchdogStatus(watchdog: Watchdog, view: WatchView, now: number): WatchdogStatus {
  const { spec, status, metadata } = watchdog;
  const observedGeneration = metadata.generation;
  const verdict = { type: WatchdogCondition.Ready, ...verdictOf(watchdog, view), observedGeneration };
  const { periodSeconds } = spec;
  const isCounting = periodSeconds !== undefined && view.totals.period > 0;
  const largest = largestOf(view.memory);
  return {
    observedGeneration,
    ...(view.time !== undefined && { time: instant(view.time) }),
    ...(isCounting && {
      period: instant(view.totals.period * periodSeconds * 1000),
      counting: countingOf(spec),
    }),
    nodes: { answered: view.answered, silent: view.silent.length },
    restrained: view.held,
    ...(largest.length > 0 && { largest }),
    conditions: setCondition(status?.conditions, verdict, new Date(now)),
  };
}

/** Whether the new status says something that is worth a write. */
export function isNews(before: WatchdogStatus | undefined, after: WatchdogStatus): boolean {
  if (isDeepStrictEqual(before, after)) return false;
  if (!isDeepStrictEqual(withoutFigures(before), withoutFigures(after))) return true;
  // also where a clock was ahead and was put right
  return Math.abs(Date.parse(after.time ?? '') - Date.parse(before?.time ?? '')) >= WRITE_MS;
}

/** What the sums are of: by another sensor, or of other periods, others would be counted. */
export function countingOf({ read, of = 'Slice', namespaces, periodSeconds }: WatchdogSpec): string {
  const where = namespaces && namespaces.toSorted();
  const what = [read.sensor, read.arguments ?? [], read.column, of, where, periodSeconds];
  return shortHash([JSON.stringify(what)], 32);
}

/** What was known before a restart; what was counted of something else is over. */
export function restore({ status, spec }: Watchdog): { memory: Memory; totals: Totals } {
  const known = (status?.largest ?? []).map((one) => [keyOf(one), one] as const);
  const memory = new Map(known.map(([key, { value, state }]) => [key, { value, ...(state && { state }) }]));
  const { periodSeconds } = spec;
  const isSame = status?.counting === countingOf(spec);
  if (!isSame || periodSeconds === undefined || !status?.period) return { memory, totals: NO_TOTALS };
  const sums = new Map(known.map(([key, { value }]) => [key, value]));
  const period = Math.floor(Date.parse(status.period) / (periodSeconds * 1000));
  return { memory, totals: { period, sums, seen: new Map() } };
}

function verdictOf({ spec }: Watchdog, view: WatchView): Pick<Condition, 'status' | 'reason' | 'message'> {
  const { problem, tooMany, silent, answered, held } = view;
  if (problem) return { status: 'False', ...problem };
  if (tooMany.length > 0) {
    const message = `restrains ${held}, as many as spec.most allows, in all or in a namespace; also above the limit: ${first(tooMany)}`;
    return { status: 'False', reason: WatchdogReason.TooMany, message };
  }
  const restrains = spec.dryRun ? 'a dry run' : `restrains ${held}`;
  const message = `${restrains}; ${plural(answered, 'node')} answered`;
  if (silent.length === 0) return { status: 'True', reason: WatchdogReason.Watching, message };
  return { status: 'True', reason: WatchdogReason.Partial, message: `${message}, not ${first(silent)}` };
}

function largestOf(memory: Memory): WatchedSlice[] {
  const all = [...memory].map(([key, { value, state }]) => ({ ...splitKey(key), value, ...(state && { state }) }));
  all.sort((a, b) => b.value - a.value || (keyOf(a) < keyOf(b) ? -1 : 1));
  return [...all.filter(({ state }) => state), ...all.filter(({ state }) => !state).slice(0, LARGEST)].slice(0, MOST);
}

function withoutFigures(status: WatchdogStatus | undefined): object {
  const { time: _, largest, ...rest } = status ?? {};
  const states = (largest ?? []).filter(({ state }) => state).map((one) => `${keyOf(one)} ${one.state}`);
  return { ...rest, states: states.toSorted() };
}

function keyOf({ namespace, slice }: Pick<WatchedSlice, 'namespace' | 'slice'>): string {
  return slice === undefined ? namespace : `${namespace}/${slice}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
