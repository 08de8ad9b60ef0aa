/** A Watchdog's spec as numbers, with what holds where nothing is said. */
import { parseQuantity } from '../../crds/quantity.ts';
import type { WatchdogSpec } from '../../crds/types.ts';
import type { Terms } from './plan.ts';

const LIFT_SECONDS = 60;
const MOST = 10;

export function termsOf({ above, forSeconds = 0, lift, most = MOST, dryRun = false }: WatchdogSpec): Terms {
  const { below, forSeconds: liftSeconds = LIFT_SECONDS } = lift ?? {};
  return {
    above: parseQuantity(above),
    forMs: forSeconds * 1000,
    lift: below === undefined ? undefined : { below: parseQuantity(below), forMs: liftSeconds * 1000 },
    most,
    dryRun,
  };
}
