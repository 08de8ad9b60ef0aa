/**
 * Rights that others hold for the slice: acquired, split or taken over by hand or by a broker, and bound to it. It uses them and
 * never writes to them.
 */
import { SliceReason } from '../../../crds/conditions.ts';
import { amounts, portKey } from '../../../crds/rspec.ts';
import type { Grant, ResourceCapability } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { isSuspended } from '../../restraint/applied.ts';
import { isSuspendedByHolder } from '../../restraint/rights.ts';
import { asking } from './asked.ts';
import { grantedCondition, leftOf, standing } from './grant.ts';
import type { Effect, RemoveReason, SliceInput } from './input.ts';
import { excerpt } from './wording.ts';

/**
 * Those that stand for the slice on their nodes now, one a node: open, and of the network that the slice asks for and was judged
 * by. Of a slice that names no broker none takes the place of a better right of its own. One that is suspended goes before all
 * others there, and stands for it also where it gives nothing, unless the slice was granted a right of its own: else its author
 * would only have to edit it, or to split it off, for another to be acquired in its place.
 */
export function usableBound(input: SliceInput, now: number): ResourceCapability[] {
  const { slice, nodes, bound, capabilities } = input;
  const byNode = new Map<string, ResourceCapability>();
  const askedOn = asking(slice);
  const own = slice.spec.broker === undefined ? capabilities : [];
  const held = new Map(own.flatMap((one) => (isOpen(one, nodes, now) ? [[one.spec.nodeName, one]] : [])));
  const gives = (capability: ResourceCapability): boolean => {
    const { nodeName } = capability.spec;
    if (!isOpen(capability, nodes, now)) return false;
    const granted = capability.status!.granted!;
    if (granted.sliceName !== slice.metadata.name) return false;
    if ((granted.resources.network ?? 'Pod') !== askedOn(nodes.get(nodeName)!).amounts.network) return false;
    const better = held.get(nodeName);
    return !better || isAsGood(granted, better.status!.granted!);
  };
  const suspended = suspendedBound(input, now);
  const kept = new Set(own.flatMap((one) => (isDeleting(one) || !one.status?.granted ? [] : [one.spec.nodeName])));
  const sorted = bound.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const capability of [...suspended, ...sorted.filter((one) => !suspended.includes(one))]) {
    const { nodeName } = capability.spec;
    const stays = suspended.includes(capability) && !kept.has(nodeName);
    if (!byNode.has(nodeName) && (stays || gives(capability))) byNode.set(nodeName, capability);
  }
  return [...byNode.values()];
}

/**
 * Those that are granted to the slice and that somebody suspends, by name, also before their window, with nothing left or of
 * another network: as long as the slice has one, it has no pod on that node, by whatever right.
 */
export function suspendedBound({ slice, nodes, bound }: SliceInput, now: number): ResourceCapability[] {
  const suspended = bound.filter((capability) => {
    const { granted } = capability.status ?? {};
    if (isDeleting(capability) || !isSuspendedByHolder(capability) || !granted) return false;
    if (granted.sliceName !== slice.metadata.name) return false;
    const end = granted.window?.end;
    return standing(capability, nodes.get(capability.spec.nodeName)) === 'granted' && !(end && Date.parse(end) <= now);
  });
  return suspended.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** Whether it is granted by a node that is there, its window is open, and something is left for a sliver of its own. */
function isOpen(capability: ResourceCapability, nodes: SliceInput['nodes'], now: number): boolean {
  const node = nodes.get(capability.spec.nodeName);
  const granted = capability.status?.granted;
  if (isDeleting(capability) || node?.uid === undefined || !granted) return false;
  if (standing(capability, node) !== 'granted' || !leftOf(granted)) return false;
  const { start, end } = granted.window ?? {};
  return !(start && Date.parse(start) > now) && !(end && Date.parse(end) <= now);
}

/** Whether a right gives no less than another, and for no shorter. */
function isAsGood(right: Grant, than: Grant): boolean {
  const [one, other] = [amounts(leftOf(right)), amounts(leftOf(than))];
  const endOf = ({ window }: Grant): number => (window?.end ? Date.parse(window.end) : Infinity);
  const isLess = (of: number | undefined, least: number | undefined): boolean =>
    least !== undefined && of !== undefined && of < least;
  const ports = new Set(one.ports.map(portKey));
  return (
    one.shares >= other.shares &&
    one.egressGuarantee >= other.egressGuarantee &&
    one.egressLimit >= other.egressLimit &&
    !isLess(one.memory, other.memory) &&
    !isLess(one.disk, other.disk) &&
    other.ports.every((port) => ports.has(portKey(port))) &&
    other.privileges.every((privilege) => one.privileges.includes(privilege)) &&
    endOf(right) >= endOf(than)
  );
}

/** Why bound rights give the slice nothing: what ends by itself goes first. */
const SHUT = [SliceReason.WindowNotOpen, SliceReason.GivenAway, SliceReason.WindowClosed] as const;

/** What the slice is told of bound rights that give it nothing as their windows are, or what is split from them. */
export interface Shut {
  reason: (typeof SHUT)[number];
  /** One a node, the next to open first. */
  rights: string[];
}

/** Of nodes where the slice has no right that is open; undefined: there are none. Of several on one node the next counts, then the last. */
export function shutBound({ slice, nodes, bound, capabilities }: SliceInput, now: number): Shut | undefined {
  const open = new Set(capabilities.map(({ spec }) => spec.nodeName));
  const shut = bound.flatMap((capability) => {
    const { nodeName } = capability.spec;
    const node = nodes.get(nodeName);
    if (isDeleting(capability) || node?.uid === undefined || open.has(nodeName)) return [];
    const tell = (reason: Shut['reason'], at: number, what: string) => {
      return [{ nodeName, reason, at, text: `rcap ${capability.metadata.name} on ${nodeName}: ${what}` }];
    };
    const state = standing(capability, node);
    if (state === 'expired') {
      const { message, lastTransitionTime } = grantedCondition(capability)!;
      return tell(SliceReason.WindowClosed, Date.parse(lastTransitionTime), excerpt(message, 80));
    }
    const { granted } = capability.status ?? {};
    if (state !== 'granted' || granted?.sliceName !== slice.metadata.name) return [];
    const { start = '', end = '' } = granted.window ?? {};
    const [from, until] = [Date.parse(start), Date.parse(end)];
    if (until <= now) return tell(SliceReason.WindowClosed, until, `the window ended at ${end}`);
    if (from > now) return tell(SliceReason.WindowNotOpen, from, `the window opens at ${start}`);
    if (leftOf(granted)) return [];
    return tell(SliceReason.GivenAway, now, 'what is split from it leaves too little for a sliver');
  });
  const isOver = ({ reason }: Pick<Shut, 'reason'>): boolean => reason === SliceReason.WindowClosed;
  shut.sort((a, b) => SHUT.indexOf(a.reason) - SHUT.indexOf(b.reason) || (isOver(a) ? b.at - a.at : a.at - b.at));
  const [next] = shut;
  if (!next) return undefined;
  const byNode = new Map<string, string>();
  for (const { nodeName, text } of shut) if (!byNode.has(nodeName)) byNode.set(nodeName, text);
  return { reason: next.reason, rights: [...byNode.values()] };
}

/** The end of the pods of bound rights, but for those that are in use and those whose node has yet to answer again. */
export function endBound(input: SliceInput, inUse: readonly ResourceCapability[], why: RemoveReason): Effect[] {
  return input.bound.flatMap((capability): Effect[] => {
    const pod = input.pods.get(capability.metadata.name);
    const node = capability.spec.nodeName;
    // with the right goes its pod
    if (!pod || isDeleting(pod) || isDeleting(capability) || inUse.includes(capability)) return [];
    const suspended = input.slice.spec.suspended || isSuspended(input.restraints);
    if (why === 'Unused' && !suspended && standing(capability, input.nodes.get(node)) === 'pending') return [];
    return [{ kind: 'remove', ref: refOf(pod), why, propagation: 'Background', node }];
  });
}
