/** Who is to be frozen: a pod without a right whose penalty time is over, unless it is being ended. */
import type { Sliver } from '../sliver.ts';

export interface ObservedFreeze {
  frozen: boolean;
  /** SIGTERM or SIGKILL waits for one of its processes, or did a moment ago. */
  ending: boolean;
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
