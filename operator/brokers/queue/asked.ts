/** What a slice asks of the queue: how long, between which instants, on which nodes. */
import { ANNOTATION_WINDOW } from '../../../crds/names.ts';
import type { Slice } from '../../../crds/types.ts';
import { describe, validateSlice } from '../../../crds/validate.ts';
import { oversize } from '../../slice/oversize.ts';
import { asking } from '../../slice/plan/asked.ts';
import { isOpen, matches, mayStay } from '../../slice/plan/eligible.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import { chooseNodes } from '../../slice/plan/topology.ts';
import type { QueueInput } from './input.ts';
import { freeFirst, SECOND } from './schedule.ts';

export interface Asked {
  /** ms */
  length: number;
  /** The window opens no earlier and ends no later; ms since the epoch. */
  from: number;
  until: number;
}

/** Refused where it could be granted to nobody, with what is to be done about it; nothing is ever made shorter. */
export function readAsked(slice: Slice, { usual, most }: QueueInput['lengths']): Asked | string {
  const violations = oversize(slice) === undefined ? validateSlice(slice) : [];
  if (violations.length > 0 || oversize(slice) !== undefined) return describe(violations) || 'the spec is too large';
  const text = slice.metadata.annotations?.[ANNOTATION_WINDOW];
  const length = text === undefined ? usual : Number(text) * SECOND;
  if (!Number.isSafeInteger(length) || length < SECOND || length > most) {
    return `the annotation ${ANNOTATION_WINDOW} must be whole seconds, 1 to ${most / SECOND}`;
  }
  const { start, end } = slice.spec.window ?? {};
  return { length, from: start ? Date.parse(start) : -Infinity, until: end ? Date.parse(end) : Infinity };
}

/**
 * The nodes on which the slice is to be: those that it has, as long as they match, and more where it wants more. Fewer than
 * it asks for: there are no more now. `startOn`: when one of them is free. `refusedAt`: when it refused the slice, where that was
 * lately: it is taken last, for a node that refuses everything is always free.
 */
export function nodesFor(
  slice: Slice,
  held: readonly string[],
  nodes: ReadonlyMap<string, NodeState>,
  { startOn, refusedAt }: { startOn: (node: string) => number; refusedAt: (node: string) => number | undefined },
): string[] {
  const { placement } = slice.spec;
  const stay = held.filter((name) => {
    const node = nodes.get(name);
    return node?.uid !== undefined && mayStay(node, placement);
  });
  const more = [...nodes.values()].filter(
    (node) => matches(node, placement) && isOpen(node) && !stay.includes(node.name),
  );
  const count = placement?.count ?? stay.length + more.length;
  const need = count - stay.length;
  if (need <= 0) return stay.slice(0, count).sort();
  const askedOn = asking(slice);
  const by = { placement, seed: slice.metadata.uid ?? '', amounts: (node: NodeState) => askedOn(node).amounts };
  const present = stay.map((name) => nodes.get(name)!);
  const willing = more.filter(({ name }) => refusedAt(name) === undefined);
  const choose = (among: NodeState[]) => chooseNodes(among, present, need, by).map(({ name }) => name);
  if ((placement?.policy ?? 'Any') !== 'Any') {
    const chosen = choose(willing);
    return [...stay, ...(chosen.length < need ? choose(more) : chosen)].sort();
  }
  const first = freeFirst(namesOf(willing), need, startOn);
  const refusers = more.filter((node) => !willing.includes(node));
  const last = freeFirst(namesOf(refusers), need - first.length, (node) => refusedAt(node) ?? 0);
  return [...stay, ...first, ...last].sort();
}

function namesOf(nodes: readonly NodeState[]): string[] {
  return nodes.map(({ name }) => name);
}
