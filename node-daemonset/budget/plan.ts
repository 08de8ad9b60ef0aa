/**
 * Budgets of bytes a day: from a threshold on, a sliver is slowed so that what it has left lasts until the day ends. It
 * always keeps its guarantee, so that a budget is spent late or never, and nobody is cut off. Pure.
 */
import { bytesPerDayOf, type Policy } from '../admission/policy.ts';
import { formatBytes } from '../../crds/quantity.ts';
import type { Sliver } from '../sliver.ts';
import { DAY_MS, type Use, useKey, type Uses } from './use.ts';

/** So much of a budget may be sent at any rate. */
export const SOFT_THRESHOLD = 0.8;
/** A limit that would change by less stays as it is, and with it the kernel. */
const STEP = 0.1;

/** What a budget makes of one sliver now. */
export interface BudgetVerdict {
  /** A pod's uid. */
  sliver: string;
  reason: 'WithinBudget' | 'BudgetLow' | 'BudgetSpent';
  message: string;
}

export interface BudgetPlan {
  /** The slivers with the limits that budgets leave them. */
  slivers: Sliver[];
  uses: Uses;
  /** Of slivers that have a budget. */
  verdicts: BudgetVerdict[];
  /** When the day ends, in ms since the epoch, where somebody waits for it. */
  wakeAt: number | undefined;
}

export function planBudgets(slivers: readonly Sliver[], before: Uses, policy: Policy, now: number): BudgetPlan {
  const dayEnd = (Math.floor(now / DAY_MS) + 1) * DAY_MS;
  const uses = { ...before.uses };
  const verdicts: BudgetVerdict[] = [];
  let changed = false;
  let wakeAt: number | undefined;
  const limited = slivers.map((sliver) => {
    const use = uses[useKey(sliver)];
    const budget = bytesPerDayOf(policy, sliver.rcap.namespace);
    const exempt = policy.exempt.destinations.length > 0 ? policy.exempt.bytesPerDay : undefined;
    if (!use) return sliver;
    const { egressGuarantee: guarantee, egressLimit } = sliver.amounts;
    const times = { now, dayEnd };
    const limit = planLimit({
      ...times,
      budget,
      used: use.today.counted,
      guarantee,
      most: egressLimit,
      before: use.limit,
    });
    // nothing is guaranteed to exempt destinations
    const most = Math.min(egressLimit, policy.exempt.limit ?? Infinity);
    const spent = { budget: exempt, used: use.today.exempt, guarantee: 0, most, before: use.exemptLimit };
    const exemptLimit = planLimit({ ...times, ...spent });
    if (limit !== use.limit || exemptLimit !== use.exemptLimit) {
      uses[useKey(sliver)] = withLimits(use, limit, exemptLimit);
      changed = true;
    }
    if (budget !== undefined || exempt !== undefined) {
      verdicts.push(verdictOf(sliver, use, { budget, exempt, limit, exemptLimit, dayEnd }));
    }
    if (limit === undefined && exemptLimit === undefined) return sliver;
    wakeAt = dayEnd;
    return {
      ...sliver,
      ...(limit !== undefined && { budgetLimit: limit }),
      ...(exemptLimit !== undefined && { exemptBudgetLimit: exemptLimit }),
    };
  });
  return { slivers: limited, uses: changed ? { ...before, uses } : before, verdicts, wakeAt };
}

/** Bytes and bits/s, ms since the epoch. */
export interface LimitInput {
  budget: number | undefined;
  used: number;
  guarantee: number;
  /** What the sliver may send without a budget. */
  most: number;
  /** The limit of the last time; undefined where it did not bite. */
  before: number | undefined;
  now: number;
  dayEnd: number;
}

/** What is left by the time that is left, in bits/s, never below the guarantee; undefined: the budget does not bite. */
export function planLimit({ budget, used, guarantee, most, before, now, dayEnd }: LimitInput): number | undefined {
  if (budget === undefined || used < budget * SOFT_THRESHOLD) return undefined;
  const rate = (Math.max(budget - used, 0) * 8 * 1000) / Math.max(dayEnd - now, 1000);
  const limit = Math.floor(Math.max(rate, guarantee));
  if (limit >= most) return undefined;
  // never kept where it would let more through than is left
  const isClose = before !== undefined && before <= limit && limit - before < before * STEP;
  return isClose ? before : limit;
}

function withLimits({ classId, today, seen }: Use, limit?: number, exemptLimit?: number): Use {
  return {
    classId,
    today,
    seen,
    ...(limit !== undefined && { limit }),
    ...(exemptLimit !== undefined && { exemptLimit }),
  };
}

interface Bite {
  budget: number | undefined;
  exempt: number | undefined;
  limit: number | undefined;
  exemptLimit: number | undefined;
  dayEnd: number;
}

/** Without figures that change from pass to pass: each change of a condition is a write to the API. */
function verdictOf({ id }: Sliver, { today }: Use, bite: Bite): BudgetVerdict {
  const until = new Date(bite.dayEnd).toISOString().replace(/\.\d+Z$/, 'Z');
  const sentences: string[] = [];
  let isSpent = false;
  const tell = (budget: number | undefined, used: number, limit: number | undefined, where: string): void => {
    if (budget === undefined || limit === undefined) return;
    isSpent ||= used >= budget;
    const rest =
      used >= budget
        ? 'is spent, and it has no more than its guarantee'
        : 'is nearly spent, and it is slowed so that the rest lasts';
    sentences.push(`what it may send in a day${where}, ${formatBytes(budget)}, ${rest} until ${until}`);
  };
  tell(bite.budget, today.counted, bite.limit, '');
  tell(bite.exempt, today.exempt, bite.exemptLimit, ' to exempt destinations');
  if (sentences.length > 0) {
    return { sliver: id, reason: isSpent ? 'BudgetSpent' : 'BudgetLow', message: sentences.join('; ') };
  }
  return {
    sliver: id,
    reason: 'WithinBudget',
    message: 'it has sent less than the threshold of its budget for the day',
  };
}
