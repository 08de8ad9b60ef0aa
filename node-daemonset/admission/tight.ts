/** Where there is too little: how much is left, and until when. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { formatBytes, formatRate } from '../../crds/quantity.ts';
import { formatInstant } from './ask.ts';
import { type Books, type Grant, type Period, type Stretch, stretches } from './ledger.ts';

export const KINDS: readonly [keyof Books, string, (amount: number) => string][] = [
  ['shares', CapabilityReason.InsufficientShares, String],
  ['egress', CapabilityReason.InsufficientEgress, formatRate],
  ['memory', CapabilityReason.InsufficientMemory, formatBytes],
  ['disk', CapabilityReason.InsufficientDisk, formatBytes],
  ['pods', CapabilityReason.InsufficientPods, String],
];

/** What is granted over the rest of a period: what is past needs not fit. */
export function ahead(grants: readonly Grant[], { start, end }: Period, now: number): Stretch[] {
  return stretches(grants, { start: Math.max(start ?? now, now), end });
}

/** The first time in which it does not fit, as one stretch, with the most that is granted in it; undefined where it always fits. */
export function tooTight(
  parts: readonly Stretch[],
  kind: keyof Books,
  wanted: number,
  limit: number,
): Stretch | undefined {
  const isTight = ({ sums }: Stretch): boolean => sums[kind] + wanted > limit;
  // What exceeds all there is fits at no time; what is left now is what a person can ask for.
  if (wanted > limit) return { ...parts[0]!, end: undefined };
  const from = parts.findIndex(isTight);
  if (from < 0) return undefined;
  const end = parts.findIndex((part, i) => i > from && !isTight(part));
  const run = parts.slice(from, end < 0 ? undefined : end);
  const { sums } = run.reduce((most, part) => (part.sums[kind] > most.sums[kind] ? part : most));
  return { start: run[0]!.start, end: run.at(-1)!.end, sums };
}

/** When a stretch is, in words. */
export function when({ start, end }: Stretch, now: number): string {
  const from = start !== undefined && start > now ? ` from ${formatInstant(start)}` : '';
  return from + (end === undefined ? '' : ` until ${formatInstant(end)}`);
}
