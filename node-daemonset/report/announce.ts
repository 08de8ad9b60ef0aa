/** Events for whoever loses a right without having asked for it: the rcap's status says the same, for those who look. */
import type { ResourceCapability } from '../../crds/types.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Decision } from '../admission/plan.ts';

/** `find` has the rcaps that the API server told of: about one that is gone there is nobody to tell. */
export function announceTo(
  recorder: Pick<EventRecorder, 'record'>,
  find: (key: string) => ResourceCapability | undefined,
): (decision: Decision) => void {
  return ({ namespace, name, uid, reason, message }) => {
    const rcap = find(`${namespace}/${name}`);
    if (rcap?.metadata.uid === uid && reason) recorder.record(rcap, 'Warning', reason, message ?? '');
  };
}
