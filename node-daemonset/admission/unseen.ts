/**
 * What is remembered of rights that are not seen any more. A node can't tell an rcap that was deleted from one whose label was
 * taken off, which can be put back: the same uid is judged by what it was.
 */
import type { Binding, Entry } from './ledger.ts';
import { isTransferred } from './transfer.ts';

/** So many of a namespace's, and so many in all. */
interface Most {
  namespace: number;
  all: number;
}

const MOST_PASSED: Most = { namespace: 1000, all: 10_000 };
/** Each right of a Slice that is released leaves one, and all of them are in every checkpoint. */
const MOST_BOUND: Most = { namespace: 200, all: 2000 };

/** What passed to another and is not seen any more, by uid: the newest. */
export function passedUnseen(entries: Iterable<Entry>, isSeen: (uid: string) => boolean): ReadonlySet<string> {
  const passed = [...entries].filter((entry) => isTransferred(entry) && !isSeen(entry.uid));
  return new Set(newest(passed, MOST_PASSED, ({ refusal }) => refusal!.time).map(({ uid }) => uid));
}

/**
 * What rights were bound to that hold nothing now, by uid: those that are `known`, and those of `before`, the entries as the
 * pass found them, that lost their grant. In ms since the epoch: `now`.
 */
export function boundBefore(
  known: readonly Binding[],
  before: readonly Entry[],
  entries: ReadonlyMap<string, Entry>,
  now: number,
): Map<string, Binding> {
  const bindings = new Map(known.map((binding) => [binding.uid, binding]));
  for (const { uid, namespace, grant } of before) {
    if (!grant?.sliceName || entries.get(uid)?.grant) continue;
    bindings.set(uid, { uid, namespace, sliceName: grant.sliceName, time: now });
  }
  return bindings;
}

/** Of them what is to be kept: of rights that are seen all, of others the newest. A grant says by itself what it is bound to. */
export function keptBindings(
  bindings: Iterable<Binding>,
  entries: ReadonlyMap<string, Entry>,
  isSeen: (uid: string) => boolean,
): Binding[] {
  const open = [...bindings].filter(({ uid }) => {
    const entry = entries.get(uid);
    return !entry || !(entry.grant || isTransferred(entry));
  });
  const unseen = open.filter(({ uid }) => !isSeen(uid));
  const kept = new Set(newest(unseen, MOST_BOUND, ({ time }) => time));
  return kept.size === unseen.length ? open : open.filter((one) => kept.has(one) || isSeen(one.uid));
}

function newest<T extends { namespace: string }>(all: readonly T[], most: Most, timeOf: (one: T) => number): T[] {
  if (all.length <= most.namespace) return [...all];
  const byTime = (list: readonly T[]): T[] => list.toSorted((a, b) => timeOf(b) - timeOf(a));
  const own = [...Map.groupBy(byTime(all), ({ namespace }) => namespace).values()];
  const kept = own.flatMap((of) => of.slice(0, most.namespace));
  return kept.length > most.all ? byTime(kept).slice(0, most.all) : kept;
}
