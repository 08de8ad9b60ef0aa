/** The reservation of one place: which window it is to have on which nodes, and the writes that bring it there. */
import { BrokerCondition, getCondition, QueueReason } from '../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { earliest } from '../../slice/plan/backoff.ts';
import { byName } from '../../slice/plan/asked.ts';
import { sayUnlabelled } from '../../slice/plan/eligible.ts';
import { isResizeDenied } from '../../slice/plan/grant.ts';
import { mergePatch } from '../../slice/plan/mergepatch.ts';
import { nodesFor, type Asked } from './asked.ts';
import type { Effect, QueueInput, QueuePlan, Verdict } from './input.ts';
import { askedSpan, grantedSpan, isSame, spansOf, type Place, type Span } from './place.ts';
import { wholeOf } from './rights.ts';
import { firstStart, instant, SECOND, wholeSecond, type Taken } from './schedule.ts';

/** So long a node has to answer what is to hold now. */
export const ANSWER_MS = 30_000;
/** So long a node that refused a slice, or was silent, is taken for it only where there is no other. */
const AVOID_MS = 3_600_000;

export interface Around {
  input: QueueInput;
  ahead: readonly Taken[];
  others: readonly Taken[];
  now: number;
  plan: QueuePlan;
}

export interface Planned {
  /** What it has and is to have: nobody behind it may have any of it. */
  taken: Taken;
  verdict: Verdict;
  /** ms since the epoch; undefined where it has no window. */
  opens?: number;
  /** The slice itself wants no earlier one. */
  isLater?: boolean;
}

/** The reservation: made, kept, moved up, or put right after a step that was the last of a process. */
export function reserve(
  place: Place,
  slice: Slice,
  asked: Asked,
  settled: Span | undefined,
  { input, ahead, others, now, plan }: Around,
  drop: (reason: string, message: string) => Planned,
): Planned {
  const wholes = place.held.flatMap(({ whole }) => whole ?? []);
  // what goes must be gone: its name is taken, and it may hold its window still
  const waits = wholes.some(isDeleting) || place.held.some(({ part, given }) => part ?? given);
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
    const unlabelled = sayUnlabelled(input.nodes.values(), slice.spec.placement);
    const message = `asks for ${wanted} nodes, ${nodes.length} match and are ready${unlabelled}; see spec.placement`;
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
    // whoever runs the queue may suspend what runs by it
    const { suspended } = whole.spec;
    const patch = mergePatch({ spec: whole.spec }, { spec: { ...object.spec, ...(suspended && { suspended }) } });
    return patch ? [{ uid, kind: 'edit', ref: refOf(whole), patch }] : [];
  });
  return [...surplus, ...wanted];
}

/** Remembered, and what it has dropped in the next pass. */
export function refuse(place: Place, message: string, nodes: string[], plan: QueuePlan): Planned {
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

export function takenBy(place: Place): Taken {
  return { nodes: new Set(place.held.filter(({ whole }) => whole).map(({ node }) => node)), spans: spansOf(place) };
}

function startOf(whole: ResourceCapability): number {
  return askedSpan(whole)?.start ?? 0;
}

/** It has its place by the time at which this was first told: before that it gets no window. */
function isKnown(slice: Slice): boolean {
  return getCondition(slice.status?.conditions, BrokerCondition.Queued) !== undefined;
}
