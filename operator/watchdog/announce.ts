/** Events for people: what a Watchdog did, on itself and on the Slice, whose author may not read Watchdogs. */
import type { Restraint, Slice, Watchdog } from '../../crds/types.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Stores } from '../stores.ts';
import { reasonOf } from './restraint.ts';

const DONE = { Throttle: 'Throttled', Suspend: 'SuspendedByWatchdog', Terminate: 'Terminated' } as const;

/** Slices of a namespace that are told; the others see it in their status alone. */
const MOST_TOLD = 100;
/** Events are bounded for each object: what is more at once is told in one. */
const AT_ONCE = 10;

export function announcer(recorder: Pick<EventRecorder, 'record'>, { slices }: Pick<Stores, 'slices'>) {
  function tell(watchdog: Watchdog, key: string, type: 'Normal' | 'Warning', reason: string, message: string): void {
    recorder.record(watchdog, type, reason, `${key}: ${message}`);
    for (const slice of slicesOf(key)) recorder.record(slice, type, reason, message);
  }
  function slicesOf(key: string): Slice[] {
    if (!key.includes('/'))
      return slices
        .list()
        .filter(({ metadata }) => metadata.namespace === key)
        .slice(0, MOST_TOLD);
    const slice = slices.get(key);
    return slice ? [slice] : [];
  }
  return {
    /** The same words whenever it is said of one Restraint: who is not sure that it was said says it again. */
    acted(watchdog: Watchdog, key: string, { spec }: Pick<Restraint, 'spec'>): void {
      const { action } = watchdog.spec;
      const reason = action === 'Terminate' ? DONE.Suspend : DONE[action];
      const how = spec.suspended ? 'suspended: ' : `throttled to ${spec.egressLimit} bit/s: `;
      tell(watchdog, key, 'Warning', reason, how + spec.reason);
    },
    /** Only the Watchdog's readers hear of it: nothing has become of the slices. */
    wouldAct(watchdog: Watchdog, all: readonly { key: string; value: number }[]): void {
      const reason = `Would${watchdog.spec.action}`;
      for (const { key, value } of all.slice(0, AT_ONCE)) {
        recorder.record(watchdog, 'Normal', reason, `${key}: ${reasonOf(watchdog, value)}`);
      }
      const more = all.slice(AT_ONCE).map(({ key }) => key);
      if (more.length > 0) recorder.record(watchdog, 'Normal', reason, `${more.length} more: ${more.join(', ')}`);
    },
    lifted(watchdog: Watchdog, key: string): void {
      tell(watchdog, key, 'Normal', 'Lifted', `no longer restrained by Watchdog ${watchdog.metadata.name}`);
    },
    pardoned(watchdog: Watchdog, key: string): void {
      const again = 'it acts again once this was at its limit or below it, and above it anew';
      recorder.record(watchdog, 'Normal', 'Undone', `${key}: its Restraint was deleted; ${again}`);
    },
    terminated(watchdog: Watchdog, slice: Slice): void {
      const { namespace, name } = slice.metadata;
      tell(
        watchdog,
        `${namespace}/${name}`,
        'Warning',
        DONE.Terminate,
        `deleted by Watchdog ${watchdog.metadata.name}`,
      );
    },
  };
}
