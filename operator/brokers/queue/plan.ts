/** The whole queue at one instant: who is where in it, what each is to have, and the writes that bring it there. */
import { BrokerCondition, getCondition, QueueReason } from '../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { earliest } from '../../slice/plan/backoff.ts';
import { byName } from '../../slice/plan/asked.ts';
import { isResizeDenied } from '../../slice/plan/grant.ts';
import { mergePatch } from '../../slice/plan/mergepatch.ts';
import { nodesFor, readAsked, type Asked } from './asked.ts';
import { planHandOver, planRemoval, refusalIn } from './handover.ts';
import type { Effect, QueueInput, QueuePlan, Verdict } from './input.ts';
import { bounded, inLine, isOver } from './order.ts';
import { askedSpan, grantedSpan, isSame, placesOf, settledSpan, spansOf, type Place, type Span } from './place.ts';
import { wholeOf } from './rights.ts';
import { firstStart, instant, SECOND, wholeSecond, type Taken } from './schedule.ts';

/** So long a node has to answer what is to hold now. */
const ANSWER_MS = 30_000;
/** So long a node that refused a slice, or was silent, is taken for it only where there is no other. */
const AVOID_MS = 3_600_000;

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
  // who was refused may have been overtaken: places are told as windows open
  const byOpening = planned.toSorted((a, b) => (a.opens ?? Infinity) - (b.opens ?? Infinity) || 0);
  for (const [index, { slice, verdict }] of byOpening.entries()) {
    const message = `place ${index + 1} of ${line.length}, ${verdict.message}`;
    plan.told.push({ slice, verdict: { ...verdict, message } });
  }
  for (const { place, message } of full) {
    plan.told.push({ slice: place.slice!, verdict: { status: 'True', reason: QueueReason.QueueFull, message } });
  }
  const mute = new Set(barred.map(({ slice }) => slice));
  plan.told = plan.told.filter(({ slice, verdict }) => !mute.has(slice) && !isTold(slice, verdict));
  return plan;
}

interface Around {
  input: QueueInput;
  ahead: readonly Taken[];
  others: readonly Taken[];
  now: number;
  plan: QueuePlan;
}

interface Planned {
  /** What it has and is to have: nobody behind it may have any of it. */
  taken: Taken;
  verdict: Verdict;
  /** ms since the epoch; undefined where it has no window. */
  opens?: number;
  /** The slice itself wants no earlier one. */
  isLater?: boolean;
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
  if (span && span.start <= now && now < span.end) {
    plan.effects.push(...planHandOver(place, slice, input.nodes));
    plan.wakeAt = earliest(plan.wakeAt, span.end);
    const verdict = { status: 'False', reason: QueueReason.Open, message: `open until ${instant(span.end)}` } as const;
    return { taken: takenBy(place), verdict, opens: span.start };
  }
  const asked = readAsked(slice, input.lengths);
  if (typeof asked === 'string') return drop(QueueReason.InvalidSpec, asked);
  return reserve(place, slice, asked, span, around, drop);
}

/** The reservation: made, kept, moved up, or put right after a step that was the last of a process. */
function reserve(
  place: Place,
  slice: Slice,
  asked: Asked,
  settled: Span | undefined,
  { input, ahead, others, now, plan }: Around,
  drop: (reason: string, message: string) => Planned,
): Planned {
  const wholes = place.held.flatMap(({ whole }) => whole ?? []);
  // what goes must be gone: its name is taken, and it may hold its window still
  const waits = wholes.some(isDeleting) || place.held.some(({ part, given }) => part ?? (given && wholes.length > 0));
  const from = Math.max(wholeSecond(now), asked.from);
  const start = (nodes: readonly string[]) => firstStart(nodes, asked.length, from, ahead, others);
  // a window that it has is its own, also where somebody ahead came to have a later one
  const mayStay = (nodes: readonly string[], { start: at, end }: Span) =>
    end - at === asked.length && firstStart(nodes, asked.length, at, [], [...ahead, ...others]) === at;
  const heldOn = place.held.filter(({ whole }) => whole).map(({ node }) => node);
  const refusers = input.refused.get(place.uid)?.nodes;
  const refusedAt = (node: string) => {
    const at = refusers?.get(node);
    return at !== undefined && now - at < AVOID_MS ? at : undefined;
  };
  const nodes = nodesFor(slice, heldOn, input.nodes, { startOn: (node) => start([node]), refusedAt });
  const wanted = slice.spec.placement?.count ?? 1;
  if (nodes.length < wanted) {
    const message = `asks for ${wanted} nodes, ${nodes.length} match and are ready; see spec.placement`;
    return drop(QueueReason.TooFewNodes, message);
  }
  const current = askedSpan(
    wholes.toSorted((a, b) => startOf(b) - startOf(a))[0] ?? ({ spec: {} } as ResourceCapability),
  );
  if (waits || (current && current.end <= now)) return drop(QueueReason.Waiting, 'its window is being reserved anew');
  if (current && !settled && current.start + ANSWER_MS <= now) {
    const silent = wholes.filter((whole) => !isSame(grantedSpan(whole), current)).map(({ spec }) => spec.nodeName);
    return refuse(place, `${silent.join(', ')}: no answer within ${ANSWER_MS / SECOND} s`, silent, plan);
  }
  const terms = { first: start(nodes), length: asked.length, input, now, plan };
  const span = spanFor(place, wholes, current && { ...current, stays: mayStay(nodes, current) }, settled, terms);
  if (span === undefined) return refuse(place, denialOf(wholes), deniersIn(wholes), plan);
  if (span.end > asked.until) {
    const message = `its window would end at ${instant(span.end)}, and spec.window ends at ${instant(asked.until)}`;
    return drop(QueueReason.Refused, message);
  }
  if (isKnown(slice)) plan.effects.push(...difference(place, slice, nodes, span, input));
  const ready = settled && isSame(settled, span);
  plan.wakeAt = earliest(plan.wakeAt, ready ? span.start : Math.max(span.start, now) + ANSWER_MS);
  const message = ready ? `opens at ${instant(span.start)}` : 'its window is being reserved';
  const taken = { nodes: new Set([...nodes, ...heldOn]), spans: [...spansOf(place), span] };
  const verdict: Verdict = { status: 'True', reason: QueueReason.Waiting, message };
  return { taken, verdict, opens: span.start, isLater: asked.from > now };
}

interface Terms {
  /** The first instant at which a window could open. */
  first: number;
  /** ms */
  length: number;
  input: QueueInput;
  now: number;
  plan: QueuePlan;
}

/** The window to have: the present one, or an earlier one; undefined where a node refuses to put right what others granted. */
function spanFor(
  place: Place,
  wholes: readonly ResourceCapability[],
  current: (Span & { stays: boolean }) | undefined,
  settled: Span | undefined,
  { first, length, input, now, plan }: Terms,
): Span | undefined {
  const earliestSpan = { start: first, end: first + length };
  if (!current) return earliestSpan;
  if (wholes.some(isResizeDenied)) {
    const granted = wholes.flatMap((whole) => grantedSpan(whole) ?? []).toSorted((a, b) => b.start - a.start)[0];
    if (!granted || isSame(granted, current)) return undefined;
    plan.found.push({ uid: place.uid, kind: 'unmoved', message: denialOf(wholes), nodes: [] });
    return granted;
  }
  const isEarlier = first + SECOND < current.start;
  if (!current.stays) return earliestSpan;
  if (!settled || !isEarlier) return { start: current.start, end: current.end };
  const unmoved = input.unmoved.get(place.uid);
  if (!unmoved || unmoved.until <= now) return earliestSpan;
  plan.wakeAt = earliest(plan.wakeAt, unmoved.until);
  return { start: current.start, end: current.end };
}

function difference(
  place: Place,
  slice: Slice,
  nodes: readonly string[],
  span: Span,
  input: Pick<QueueInput, 'namespace' | 'nodes'>,
): Effect[] {
  const { uid } = place;
  const askedOn = byName(slice, input.nodes);
  const surplus = place.held.flatMap(({ node, whole }): Effect[] =>
    whole && !nodes.includes(node) ? [{ uid, kind: 'remove', ref: refOf(whole), propagation: 'Background' }] : [],
  );
  const wanted = nodes.flatMap((node): Effect[] => {
    const whole = place.held.find((held) => held.node === node)?.whole;
    const asked = askedOn(node);
    if (!asked) return [];
    const object = wholeOf(input.namespace, slice, node, span, asked.resources);
    if (!whole) return [{ uid, kind: 'create', object }];
    const patch = mergePatch({ spec: whole.spec }, { spec: object.spec });
    return patch ? [{ uid, kind: 'edit', ref: refOf(whole), patch }] : [];
  });
  return [...surplus, ...wanted];
}

/** Remembered, and what it has dropped in the next pass. */
function refuse(place: Place, message: string, nodes: string[], plan: QueuePlan): Planned {
  plan.found.push({ uid: place.uid, kind: 'refused', message, nodes });
  return { taken: takenBy(place), verdict: { status: 'True', reason: QueueReason.Refused, message } };
}

function deniersIn(wholes: readonly ResourceCapability[]): string[] {
  return wholes.filter(isResizeDenied).map(({ spec }) => spec.nodeName);
}

function denialOf(wholes: readonly ResourceCapability[]): string {
  const denied = wholes.find(isResizeDenied);
  const message = denied?.status?.conditions?.find(({ type }) => type === 'Granted')?.message;
  return `${denied?.spec.nodeName}: ${message}`;
}

function takenBy(place: Place): Taken {
  return { nodes: new Set(place.held.filter(({ whole }) => whole).map(({ node }) => node)), spans: spansOf(place) };
}

function startOf(whole: ResourceCapability): number {
  return askedSpan(whole)?.start ?? 0;
}

/** It has its place by the time at which this was first told: before that it gets no window. */
function isKnown(slice: Slice): boolean {
  return getCondition(slice.status?.conditions, BrokerCondition.Queued) !== undefined;
}

function isTold(slice: Slice, verdict: Verdict): boolean {
  const told = getCondition(slice.status?.conditions, BrokerCondition.Queued);
  return told?.status === verdict.status && told.reason === verdict.reason && told.message === verdict.message;
}
