/**
 * Slices that whoever runs the queue suspends, by their reservations (spec.suspended of the whole). What an author does with his
 * Slice must be no way out of it, neither an edit nor a new Slice of the name.
 */
import { ANNOTATION_QUEUED_IN, LABEL_QUEUED, LABEL_SLICE } from '../../../crds/names.ts';
import { QueueReason } from '../../../crds/conditions.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { QueueInput, Verdict } from './input.ts';
import type { Place } from './place.ts';

/** A whole that stays until its window is over, whatever becomes of its Slice: by it the slice is known. */
export function isSuspended({ spec, status }: ResourceCapability): boolean {
  return spec.suspended !== undefined && status?.granted !== undefined;
}

/** What a slice is told whose place is held still as it is, by one of its own wholes; undefined where none is suspended. */
export function suspendedPlace({ held }: Place): Verdict | undefined {
  return verdictOf(held.flatMap(({ whole }) => whole ?? []));
}

/** The same of a slice that gets no window, for the wholes of its namesake that went before it. */
export function suspendedNamesake({ uid, slice }: Place, { namespace, rights }: QueueInput): Verdict | undefined {
  const isNamesakes = ({ metadata: { labels, annotations, namespace: where }, spec }: ResourceCapability): boolean =>
    where === namespace &&
    spec.from === undefined &&
    labels?.[LABEL_QUEUED] !== uid &&
    labels?.[LABEL_SLICE] === slice?.metadata.name &&
    annotations?.[ANNOTATION_QUEUED_IN] === slice?.metadata.namespace;
  return verdictOf(rights.filter(isNamesakes));
}

function verdictOf(wholes: readonly ResourceCapability[]): Verdict | undefined {
  const whole = wholes.find(isSuspended);
  if (!whole) return undefined;
  const { reason, contact } = whole.spec.suspended!;
  const until = whole.status?.granted?.window?.end;
  const who = `whoever runs the queue${contact === undefined ? '' : ` (${contact})`}`;
  const message = `suspended by ${who}${until === undefined ? '' : ` until ${until}`}: ${reason}`;
  return { status: 'True', reason: QueueReason.Suspended, message };
}
