/** What the kernel counted of a sliver's packets. */
import { exemptClass } from '../../egress/names.ts';
import type { ClassCounters } from '../../egress/tc.ts';

/** Through its class, and its second one where it has one. */
export function sentThrough(classes: ReadonlyMap<number, ClassCounters>, classId: number) {
  const own = classes.get(classId);
  const second = classes.get(exemptClass(classId));
  return (
    own && {
      bytes: own.bytes + (second?.bytes ?? 0),
      packets: own.packets + (second?.packets ?? 0),
      queue_drops: own.drops + (second?.drops ?? 0),
      backlog: own.backlog + (second?.backlog ?? 0),
    }
  );
}
