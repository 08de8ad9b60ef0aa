/** Who is in the queue, and before whom. */
import { BrokerCondition, getCondition, QueueReason } from '../../../crds/conditions.ts';
import { isDeleting } from '../../kinds.ts';
import { isOpen } from './opening.ts';
import { spansOf, type Place } from './place.ts';

/**
 * Those that have a window, as they open; then who came first: by the condition Queued, which the broker alone writes. A Slice's
 * own age proves nothing, as it can come to the queue long after it was made.
 */
export function inLine(places: readonly Place[], now: number): Place[] {
  const present = places.filter((place) => {
    return place.slice !== undefined && !isDeleting(place.slice) && isOver(place, now) === undefined;
  });
  return present.toSorted((a, b) => {
    const [one, other] = [keyOf(a), keyOf(b)];
    return (
      one.opens - other.opens ||
      one.since - other.since ||
      one.created - other.created ||
      (one.name < other.name ? -1 : 1)
    );
  });
}

/** Slices in line, whether they have a place or not, of all namespaces and of one. */
const MOST = 500;
const MOST_OF_NAMESPACE = 100;

/** Who of those is let in, and why the others are not: each pass looks at all that are. */
export function bounded(line: readonly Place[]): { inside: Place[]; full: { place: Place; message: string }[] } {
  const inside: Place[] = [];
  const full: { place: Place; message: string }[] = [];
  const counts = new Map<string, number>();
  for (const place of line) {
    const { namespace = '' } = place.slice!.metadata;
    const count = counts.get(namespace) ?? 0;
    if (count >= MOST_OF_NAMESPACE)
      full.push({ place, message: `namespace ${namespace} has ${count} slices in line already` });
    else if (inside.length >= MOST) full.push({ place, message: `${MOST} slices are in line already` });
    else {
      counts.set(namespace, count + 1);
      inside.push(place);
    }
  }
  return { inside, full };
}

/** Whether the slice has had its window, and whether its status says so yet. */
export function isOver(place: Place, now: number): 'told' | 'untold' | undefined {
  const queued = getCondition(place.slice?.status?.conditions, BrokerCondition.Queued);
  if (queued?.reason === QueueReason.Over) return 'told';
  // one of which nothing was ever handed over is no loss
  const spans = spansOf(place);
  return isOpen(place) && spans.length > 0 && spans.every(({ end }) => end <= now) ? 'untold' : undefined;
}

function keyOf(place: Place) {
  const { slice } = place;
  const { creationTimestamp, namespace, name } = slice!.metadata;
  const opens = Math.min(...spansOf(place).map(({ start }) => start));
  const queued = getCondition(slice!.status?.conditions, BrokerCondition.Queued);
  const since = !queued ? Infinity : queued.status === 'False' ? 0 : Date.parse(queued.lastTransitionTime);
  return { opens, since, created: Date.parse(creationTimestamp ?? '') || 0, name: `${namespace}/${name}` };
}
