/** The whole queue at one instant: who is where in it, what each is to have, and the writes that bring it there. */
import { BrokerCondition, getCondition, QueueReason } from '../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { earliest } from '../../slice/plan/backoff.ts';
import { readAsked } from './asked.ts';
import { planHandOver, planRemoval, refusalIn } from './handover.ts';
import type { QueueInput, QueuePlan, Verdict } from './input.ts';
import { bounded, inLine, isOver } from './order.ts';
import { inWords, openingOf, type Opening } from './opening.ts';
import { askedSpan, blockerOf, placesOf, settledSpan, spansOf, type Place, type Span } from './place.ts';
import { ANSWER_MS, refuse, reserve, takenBy, type Around, type Planned } from './reserve.ts';
import { instant, type Taken } from './schedule.ts';
import { suspendedNamesake, suspendedPlace } from './suspended.ts';

/** So long the rights of a window may be on their way before the slice is told what they wait for. */
const SLOW_MS = 5_000;
/** Of slices that get no window before something changes. */
const WITHOUT_PLACE: ReadonlySet<string> = new Set([
  QueueReason.Refused,
  QueueReason.TooFewNodes,
  QueueReason.InvalidSpec,
]);

export function planQueue(input: QueueInput, now: number): QueuePlan {
  const places = placesOf(input.namespace, input.slices, input.rights);
  const plan: QueuePlan = { effects: [], told: [], found: [], wakeAt: undefined };
  // who lets nothing be told has no place: none of those who can be told of theirs waits for it
  const barred = [...places.values()].filter(({ uid }) => (input.barred.get(uid)?.until ?? 0) > now);
  plan.wakeAt = earliest(...barred.map(({ uid }) => input.barred.get(uid)!.until));
  const { inside: line, full } = bounded(
    inLine(
      [...places.values()].filter((place) => !barred.includes(place)),
      now,
    ),
  );
  for (const place of places.values()) {
    if (line.includes(place)) continue;
    const { slice } = place;
    // that its window is over is told first: it is what keeps the slice from another one
    if (slice && isOver(place, now) === 'untold') {
      const end = Math.max(...spansOf(place).map((span) => span.end));
      const message = `its window ended at ${instant(end)}; delete the Slice and apply it anew for another`;
      plan.told.push({ slice, verdict: { status: 'False', reason: QueueReason.Over, message } });
    } else plan.effects.push(...planRemoval(place, now, barred.includes(place)));
  }
  const all = new Map([...places.values()].map((place) => [place.uid, takenBy(place)]));
  // what those hold who are not in line is theirs until it is gone
  const ahead = [...places.values()].filter((place) => !line.includes(place)).map(({ uid }) => all.get(uid)!);
  /** Windows that are later because their slices want them later: nobody has to be after them. */
  const beside: Taken[] = [];
  const planned = line.map((place) => {
    const others = [...all].filter(([uid]) => uid !== place.uid).map(([, taken]) => taken);
    const one = planPlace(place, place.slice!, { input, ahead, others: [...others, ...beside], now, plan });
    (one.isLater ? beside : ahead).push(one.taken);
    return { slice: place.slice!, ...one };
  });
  // places are told as windows open; who gets none as things are is told why, and is before nobody
  const placed = planned.filter((one) => !isWithoutPlace(one));
  const byOpening = placed.toSorted((a, b) => (a.opens ?? Infinity) - (b.opens ?? Infinity) || 0);
  for (const [index, { slice, verdict }] of byOpening.entries()) {
    const message = `place ${index + 1} of ${placed.length}, ${verdict.message}`;
    plan.told.push({ slice, verdict: { ...verdict, message } });
  }
  for (const { slice, verdict } of planned.filter(isWithoutPlace)) plan.told.push({ slice, verdict });
  for (const { place, message } of full) {
    plan.told.push({ slice: place.slice!, verdict: { status: 'True', reason: QueueReason.QueueFull, message } });
  }
  const mute = new Set(barred.map(({ slice }) => slice));
  plan.told = plan.told.filter(({ slice, verdict }) => !mute.has(slice) && !isTold(slice, verdict));
  return plan;
}

function planPlace(place: Place, slice: Slice, around: Around): Planned {
  const { input, now, plan } = around;
  const refused = input.refused.get(place.uid);
  const drop = (reason: string, message: string): Planned => {
    plan.effects.push(...planRemoval(place, now));
    return { taken: takenBy(place), verdict: { status: 'True', reason, message } };
  };
  if (refused && refused.until > now) {
    plan.wakeAt = earliest(plan.wakeAt, refused.until);
    return drop(QueueReason.Refused, refused.message);
  }
  const found = refusalIn(place, input.nodes);
  if (found !== undefined) return refuse(place, found.message, found.nodes, plan);
  const span = settledSpan(place, input.nodes);
  const opening = openingOf(place, input.nodes);
  const late = lateness(place, opening, now);
  if (late !== undefined) return refuse(place, late.message, late.nodes, plan);
  const isDue = span && span.start <= now && now < span.end;
  const blocker = blockerOf(place);
  if (isDue && (opening.isOpen || !blocker)) {
    plan.effects.push(...planHandOver(place, slice, input.nodes));
    return { taken: takenBy(place), verdict: openVerdict(opening, span, now, plan), opens: span.start };
  }
  const still = isDue ? undefined : suspendedPlace(place);
  if (still)
    return { taken: takenBy(place), verdict: still, opens: Math.min(...spansOf(place).map(({ start }) => start)) };
  const barred = suspendedNamesake(place, input);
  if (barred) return drop(barred.reason, barred.message);
  if (blocker) return blocked(place, blocker, around, drop);
  const asked = readAsked(slice, input.lengths);
  if (typeof asked === 'string') return drop(QueueReason.InvalidSpec, asked);
  return reserve(place, slice, asked, span, around, drop);
}

/**
 * Nothing is reserved for a slice before what is in its way is gone: it would be dropped again. What was reserved is dropped with a
 * back-off, for its namespace can put something in its way as often as it likes.
 */
function blocked(
  place: Place,
  blocker: ResourceCapability,
  { plan }: Around,
  drop: (reason: string, message: string) => Planned,
): Planned {
  const { namespace, name } = blocker.metadata;
  const message = `rcap ${namespace}/${name} is in the way, until it is gone (its pod and its finalizers keep it)`;
  if (place.held.some(({ whole }) => whole)) return refuse(place, message, [], plan);
  if (!isDeleting(blocker)) {
    plan.effects.push({ uid: place.uid, kind: 'remove', ref: refOf(blocker), propagation: 'Foreground' });
  }
  return drop(QueueReason.Refused, message);
}

/** What the slice is told of a window that has come; it is open where something of it is the slice's. */
function openVerdict({ isOpen, since, waits }: Opening, span: Span, now: number, plan: QueuePlan): Verdict {
  const begun = Math.max(span.start, since ?? now);
  const isSlow = waits.length > 0 && now >= begun + SLOW_MS;
  const slow = waits.length > 0 && !isSlow ? begun + SLOW_MS : undefined;
  plan.wakeAt = earliest(plan.wakeAt, span.end, slow, isOpen ? undefined : begun + ANSWER_MS);
  const until = `open until ${instant(span.end)}`;
  if (isOpen) {
    const message = isSlow ? `${until}, not all is handed over: ${inWords(waits)}` : until;
    return { status: 'False', reason: QueueReason.Open, message };
  }
  const message = isSlow ? `nothing is handed over yet: ${inWords(waits)}` : 'its rights are being handed over';
  return { status: 'True', reason: QueueReason.Opening, message };
}

/** Why a window is given up that has come, and of which nothing was handed over in the time that others have to answer. */
function lateness(
  place: Place,
  { isOpen, since, waits }: Opening,
  now: number,
): { message: string; nodes: string[] } | undefined {
  const span = place.held.flatMap(({ whole }) => (whole && askedSpan(whole)) ?? [])[0];
  if (isOpen || since === undefined || !span) return undefined;
  const end = Math.min(span.end, Math.max(span.start, since) + ANSWER_MS);
  if (now < end) return undefined;
  const message = `nothing was handed over at ${instant(span.start)}: ${inWords(waits)}`;
  return { message, nodes: waits.filter(({ isNodes }) => isNodes).map(({ node }) => node) };
}

/** One that is suspended has a place where it holds a window itself. */
function isWithoutPlace({ verdict, opens }: Planned): boolean {
  return WITHOUT_PLACE.has(verdict.reason) || (verdict.reason === QueueReason.Suspended && opens === undefined);
}

function isTold(slice: Slice, verdict: Verdict): boolean {
  const told = getCondition(slice.status?.conditions, BrokerCondition.Queued);
  return told?.status === verdict.status && told.reason === verdict.reason && told.message === verdict.message;
}
