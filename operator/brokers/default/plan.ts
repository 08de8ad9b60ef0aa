/** The default broker: it acquires, for each Slice that names no other broker, a right on every node that it asks for. */
import { isDeleting } from '../../kinds.ts';
import type { Account } from '../../site/pool.ts';
import { refusalOf } from '../../slice/plan/accept.ts';
import { earliest } from '../../slice/plan/backoff.ts';
import { usableBound } from '../../slice/plan/bound.ts';
import type { Effect, SliceInput } from '../../slice/plan/input.ts';
import { planRights } from '../../slice/plan/rights.ts';
import { accountOf } from '../../slice/plan/withhold.ts';

export interface BrokerPlan {
  effects: Effect[];
  /** What the slice holds, and wants, of its site's pool; undefined where there is none. */
  account: Account | undefined;
  /** When to look again, in ms since the epoch; undefined: an event will tell. */
  wakeAt: number | undefined;
}

/** What a Slice has when it ends, or when its spec is refused, is the slice controller's to give back. */
export function planDefaultBroker(input: SliceInput, now: number): BrokerPlan {
  const nothing = isDeleting(input.slice) || refusalOf(input.slice, input.namespaceLabels, now) !== undefined;
  if (nothing) return { effects: [], account: input.pool && accountOf(input), wakeAt: undefined };
  const { placing, effects, account, wakeAt } = planRights(input, now, usableBound(input, now));
  return { effects, account, wakeAt: earliest(placing.wakeAt, wakeAt) };
}
