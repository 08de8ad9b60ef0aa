/** Who is to be frozen: a pod without a right whose penalty time is over, unless it is being ended. */
import type { Sliver } from '../sliver.ts';

export interface ObservedFreeze {
  frozen: boolean;
  /** It may go on in order to end. */
  ending: boolean;
}

/** How a pod without a right has been let go on so far, to end; times in ms since the epoch. */
export interface Ending {
  /** When it was first let go on. */
  since: number | undefined;
  /** Not thawed for SIGKILL before this, and how long it then stays frozen the next time. */
  notBefore: number;
  waitMs: number;
}

/** The time that a pod gets to end in peace: once, for a process can keep a signal waiting for ever (vfork) and work on. */
const PEACE_MS = 120_000;
/** SIGKILL needs no more than a moment; a pod that stays for longer is thawed ever less often. */
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

export const NOT_ENDING: Ending = { since: undefined, notBefore: 0, waitMs: FIRST_WAIT_MS };

/**
 * Whether a pod that is to be frozen may go on, to end: for a while from the first signal on, and after that from one look to
 * the next where SIGKILL waits for a process that is frozen, as nothing else ends it then.
 */
export function isEnding(
  state: Ending,
  signal: 'term' | 'kill' | undefined,
  isFrozen: boolean,
  now: number,
): { ending: boolean; state: Ending } {
  const since = state.since ?? (signal && now);
  if (since === undefined) return { ending: false, state };
  // A clock that was set back must not stretch it.
  if (now >= since && now - since < PEACE_MS) return { ending: true, state: { ...state, since } };
  if (signal !== 'kill' || !isFrozen || now < state.notBefore) return { ending: false, state: { ...state, since } };
  const waitMs = Math.min(state.waitMs * 2, LONGEST_WAIT_MS);
  return { ending: true, state: { since, notBefore: now + state.waitMs, waitMs } };
}

export interface FreezeWrite {
  sliver: string;
  freeze: boolean;
}

/**
 * A frozen process takes no signal (v1: not even SIGKILL), so a pod that is being ended is thawed; it stays in the
 * penalty class and can do no more than end.
 */
export function planFreeze(slivers: readonly Sliver[], observed: ReadonlyMap<string, ObservedFreeze>): FreezeWrite[] {
  return slivers.flatMap(({ id, standing }) => {
    const has = observed.get(id);
    if (!has) return [];
    const freeze = standing === 'frozen' && !has.ending;
    return freeze === has.frozen ? [] : [{ sliver: id, freeze }];
  });
}
