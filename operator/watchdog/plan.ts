/**
 * From values over time to actions. Pure. It acts on a reading above the limit once every reading for so long was, and never on
 * anything else; what a person undid it leaves alone until the value has been at the limit or below it.
 */
import type { WatchedSlice } from '../../crds/types.ts';

export type WatchState = NonNullable<WatchedSlice['state']>;

/** A Watchdog's spec as numbers; times in ms. */
export interface Terms {
  above: number;
  forMs: number;
  lift: { below: number; forMs: number } | undefined;
  most: number;
  dryRun: boolean;
}

/** What is remembered of one key from reading to reading; times in ms of a clock that only grows. */
export interface Watched {
  value: number;
  aboveSince?: number;
  belowSince?: number;
  state?: WatchState;
}

export type Memory = ReadonlyMap<string, Watched>;

/** Without since when it is so. */
export function timeless(memory: Memory): Memory {
  return new Map([...memory].map(([key, { value, state }]) => [key, { value, ...(state && { state }) }]));
}

export interface WatchInput {
  terms: Terms;
  memory: Memory;
  /** What the nodes say of each key, added up; a key that is not there has 0. */
  values: ReadonlyMap<string, number>;
  /** Keys of which a node with a right did not answer: a value may be larger than it seems. */
  unheard: ReadonlySet<string>;
  /** The keys that are restrained now, by this watchdog. */
  held: ReadonlySet<string>;
  /** Of these, those of slices that are gone, and of which nobody asks how many they are. */
  gone?: ReadonlySet<string>;
  /** When the values were read, by that clock. */
  now: number;
}

export interface WatchPlan {
  memory: Memory;
  /** To be restrained now. */
  act: string[];
  /** In a dry run: those that would be restrained, since this reading. */
  wouldAct: string[];
  /** To be freed now. */
  lift: string[];
  /** Freed by somebody else since the last reading. */
  pardoned: string[];
  /** Above the limit, and left alone, as it restrains as many as it may. */
  tooMany: string[];
}

export function planWatch(input: WatchInput): WatchPlan {
  const { terms, memory, values, held } = input;
  const plan: WatchPlan = { memory: new Map(), act: [], wouldAct: [], lift: [], pardoned: [], tooMany: [] };
  const next = new Map<string, Watched>();
  const holds = holdsOf([...held].filter((key) => !input.gone?.has(key)));
  // of names that are thrown away there is an end, too
  const ever = holdsOf(held);
  // the largest first: where not all may be restrained, they are
  const keys = [...new Set([...values.keys(), ...memory.keys(), ...held])];
  keys.sort((a, b) => (values.get(b) ?? 0) - (values.get(a) ?? 0) || (a < b ? -1 : 1));
  for (const key of keys) {
    const was = memory.get(key);
    const one = timed(input, key, was);
    if (held.has(key)) {
      one.state = 'Restrained';
      if (isLifted(input, one)) {
        plan.lift.push(key);
        holds.remove(key);
        ever.remove(key);
        next.set(key, { value: one.value });
        continue;
      }
    } else if (was?.state === 'Restrained') {
      plan.pardoned.push(key);
      one.state = 'Pardoned';
    } else if (one.aboveSince !== undefined) {
      if (was?.state) one.state = was.state;
      if (one.state !== 'Pardoned' && input.now - one.aboveSince >= terms.forMs) act(key, one);
    }
    if (one.value > 0 || one.state) next.set(key, one);
  }
  return { ...plan, memory: next };

  function act(key: string, one: Watched): void {
    const isTold = one.state === 'WouldBe';
    if (!holds.mayAdd(key, terms.most) || !ever.mayAdd(key, terms.most * GONE)) {
      delete one.state;
      plan.tooMany.push(key);
      return;
    }
    holds.add(key);
    ever.add(key);
    if (!terms.dryRun) plan.act.push(key);
    else if (!isTold) plan.wouldAct.push(key);
    one.state = terms.dryRun ? 'WouldBe' : 'Restrained';
  }
}

/** So many times as many may be held where most of them are gone. */
const GONE = 10;

/** How many are held, in all and in each namespace: nobody shall spend everybody's with slices of his own. */
function holdsOf(keys: Iterable<string>) {
  const all = new Set(keys);
  const namespaceOf = (key: string): string => key.split('/', 1)[0]!;
  return {
    add: (key: string) => void all.add(key),
    remove: (key: string) => void all.delete(key),
    mayAdd(key: string, most: number): boolean {
      const own = [...all].filter((one) => namespaceOf(one) === namespaceOf(key)).length;
      return all.size < most && own < Math.ceil(most / 2);
    },
  };
}

/** Since when it is above the limit, or low enough to be freed. */
function timed({ terms, values, unheard, now }: WatchInput, key: string, was: Watched | undefined): Watched {
  const value = values.get(key) ?? 0;
  const isLow = !unheard.has(key) && terms.lift !== undefined && value <= terms.lift.below;
  return {
    value,
    ...(value > terms.above && { aboveSince: was?.aboveSince ?? now }),
    ...(isLow && { belowSince: was?.belowSince ?? now }),
  };
}

function isLifted({ terms: { lift, dryRun }, now }: WatchInput, { belowSince }: Watched): boolean {
  return lift !== undefined && !dryRun && belowSince !== undefined && now - belowSince >= lift.forMs;
}
