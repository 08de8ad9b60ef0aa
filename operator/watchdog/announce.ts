/** Events for people: what a Watchdog did, on itself and on the Slice, whose author may not read Watchdogs. */
import type { Slice, Watchdog } from '../../crds/types.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Stores } from '../stores.ts';
import { reasonOf } from './restraint.ts';

const DONE = { Throttle: 'Throttled', Suspend: 'SuspendedByWatchdog', Terminate: 'Terminated' } as const;

export function announcer(recorder: Pick<EventRecorder, 'record'>, { slices }: Pick<Stores, 'slices'>) {
  function tell(watchdog: Watchdog, key: string, type: 'Normal' | 'Warning', reason: string, message: string): void {
    recorder.record(watchdog, type, reason, `${key}: ${message}`);
    const slice = slices.get(key);
    if (slice) recorder.record(slice, type, reason, message);
  }
  return {
    acted(watchdog: Watchdog, key: string, value: number): void {
      const { action, egressLimit } = watchdog.spec;
      const reason = action === 'Terminate' ? DONE.Suspend : DONE[action];
      const how = action === 'Throttle' ? `throttled to ${egressLimit} bit/s: ` : 'suspended: ';
      tell(watchdog, key, 'Warning', reason, how + reasonOf(watchdog, value));
    },
    /** Only the Watchdog's readers hear of it: nothing has become of the slice. */
    wouldAct(watchdog: Watchdog, key: string, value: number): void {
      recorder.record(watchdog, 'Normal', `Would${watchdog.spec.action}`, `${key}: ${reasonOf(watchdog, value)}`);
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
