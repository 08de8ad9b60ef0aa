/** Events for people: what changed in a slice, said once. */
import { getCondition, SliceCondition } from '../../crds/conditions.ts';
import type { Slice, SliceStatus } from '../../crds/types.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { attemptOf } from './plan/backoff.ts';
import type { Effect, RemoveReason } from './plan/input.ts';

export interface Announce {
  /** A write was done. */
  effect(slice: Slice, effect: Effect): void;
  /** A status was written; what it was before is the slice's. */
  status(before: Slice, after: SliceStatus): void;
}

/** Removals that happen to all slivers at once are told by the conditions; these happen to single ones. */
const TOLD: Partial<Record<RemoveReason, string>> = {
  Surplus: 'is no longer asked for',
  NodeGone: 'is of a node that is gone for good',
  Expired: 'lost its pod: its window is over',
  NotGranted: 'lost its pod: the right was refused',
};

export function announceTo(recorder: Pick<EventRecorder, 'record'>): Announce {
  return {
    effect(slice, effect) {
      const node = effect.node ?? '';
      if (effect.kind === 'create' && effect.object.kind === 'ResourceCapability' && attemptOf(effect.object) > 0) {
        recorder.record(slice, 'Normal', 'Replaced', `${node} is asked in place of a node that refused`);
      }
      if (effect.kind === 'replace') {
        const again = effect.object.kind === 'Pod' ? 'its pod failed and is made anew' : 'it is asked again';
        recorder.record(slice, 'Normal', 'TriedAgain', `${node}: ${again}`);
      }
      const told = effect.kind === 'remove' ? TOLD[effect.why] : undefined;
      if (effect.kind === 'remove' && told) {
        const reason = effect.why === 'Surplus' || effect.why === 'NodeGone' ? 'Released' : effect.why;
        recorder.record(slice, 'Normal', reason, `the sliver on ${node} ${told}`);
      }
    },
    status(before, after) {
      for (const type of [SliceCondition.Accepted, SliceCondition.Allocated, SliceCondition.Ready]) {
        const was = getCondition(before.status?.conditions, type);
        const is = getCondition(after.conditions, type);
        if (!is || (was?.status === is.status && was.reason === is.reason)) continue;
        // progress towards the first verdict is no news
        if (is.status !== 'True' && !was && QUIET.has(is.reason)) continue;
        if (is.status !== 'True' && type === SliceCondition.Ready && sameElsewhere(after, is.reason)) continue;
        recorder.record(
          before,
          is.status === 'True' || QUIET.has(is.reason) ? 'Normal' : 'Warning',
          is.reason,
          is.message,
        );
      }
    },
  };
}

/** Reasons for which nothing is wrong. */
const QUIET: ReadonlySet<string> = new Set([
  'WaitingForNodes',
  'WaitingForBroker',
  'Starting',
  'Updating',
  'Suspended',
  'Blackout',
  'WindowNotOpen',
  'Deleting',
]);

/** Ready repeats what keeps the slice from being accepted or allocated: once is enough. */
function sameElsewhere({ conditions }: SliceStatus, reason: string): boolean {
  return (conditions ?? []).some((one) => one.type !== SliceCondition.Ready && one.reason === reason);
}
