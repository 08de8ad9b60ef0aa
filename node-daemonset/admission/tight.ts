/** What can be too little, and until when. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { formatBytes, formatRate } from '../../crds/quantity.ts';
import { formatInstant } from './ask.ts';
import type { Books, Period } from './ledger.ts';

export const KINDS: readonly [keyof Books, string, (amount: number) => string][] = [
  ['shares', CapabilityReason.InsufficientShares, String],
  ['egress', CapabilityReason.InsufficientEgress, formatRate],
  ['memory', CapabilityReason.InsufficientMemory, formatBytes],
  ['disk', CapabilityReason.InsufficientDisk, formatBytes],
  ['pods', CapabilityReason.InsufficientPods, String],
];

/** The rest of a period: what is past needs not fit. */
export function ahead({ start, end }: Period, now: number): Period {
  return { start: Math.max(start ?? now, now), end };
}

/** When a time is, in words. */
export function when({ start, end }: Period, now: number): string {
  const from = start !== undefined && start > now ? ` from ${formatInstant(start)}` : '';
  return from + (end === undefined ? '' : ` until ${formatInstant(end)}`);
}
