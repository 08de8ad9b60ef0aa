/** How far the rights of a window that has come are handed over, and what those wait for that are not. */
import { BrokerCondition, CapabilityReason, getCondition } from '../../../crds/conditions.ts';
import { isOffered } from '../../../crds/offer.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting } from '../../kinds.ts';
import { grantedCondition, standing } from '../../slice/plan/grant.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import { isSplit, type Held, type Place } from './place.ts';

/** What a node's right waits for. */
export interface Wait {
  node: string;
  what: string;
  /** It is the node that has not answered. */
  isNodes: boolean;
}

export interface Opening {
  /** The slice has, or had, something of the window: it is its one window then. */
  isOpen: boolean;
  /** Since when there was an answer to be waited for, ms since the epoch; undefined where nothing is split off yet. */
  since: number | undefined;
  waits: Wait[];
}

export function openingOf(place: Place, nodes: ReadonlyMap<string, NodeState>): Opening {
  const held = place.held.filter(({ whole }) => whole !== undefined);
  // only our own tell since when: what was given its namespace can delete, and have made anew, as often as it likes
  const asked = held.flatMap(({ part }) =>
    part && !isDeleting(part) ? Date.parse(part.metadata.creationTimestamp ?? '') || 0 : [],
  );
  return {
    isOpen: isOpen(place),
    since: asked.length > 0 ? Math.max(...asked) : undefined,
    waits: held.flatMap((one) => waitOf(one, nodes.get(one.node)) ?? []),
  };
}

/** Whether the slice was told that it has its rights: of one window, until it is told something else. */
export function isToldOpen({ slice }: Place): boolean {
  return getCondition(slice?.status?.conditions, BrokerCondition.Queued)?.status === 'False';
}

/** Whether anything of its window was handed over: as it was told, or by the word of a node. */
export function isOpen(place: Place): boolean {
  return isToldOpen(place) || place.held.some(isGiven);
}

/** In a few words, for a message. */
export function inWords(waits: readonly Wait[]): string {
  const [first, ...more] = waits;
  if (!first) return 'nothing is waited for';
  return `${first.node} waits for ${first.what}${more.length > 0 ? `, and ${more.length} more nodes` : ''}`;
}

/** Seen until the slice was told that its window is open, whatever becomes of what was given: only then the part is put away. */
export function hasPassed(right: ResourceCapability): boolean {
  return right.spec.from !== undefined && grantedCondition(right)?.reason === CapabilityReason.Transferred;
}

function isGiven({ part, given }: Held): boolean {
  if (part && hasPassed(part)) return true;
  return given !== undefined && ['granted', 'expired'].includes(standing(given, undefined));
}

const OPERATOR = 'is the operator running, with operator.transfers set in its chart?';

function waitOf(held: Held, node: NodeState | undefined): Wait | undefined {
  const { whole, part, given } = held;
  const wait = (what: string, isNodes = false): Wait => ({ node: held.node, what, isNodes });
  if (isGiven(held)) return undefined;
  if (given) {
    const { generation } = given.metadata;
    if (given.status?.redeemGeneration === generation) return wait(`its node manager to grant ${nameOf(given)}`, true);
    return wait(`the value that ${nameOf(given)} shows to be read: ${OPERATOR}`);
  }
  if (!part) return wait('its right to be split off');
  if (isDeleting(part)) return wait(`the earlier ${nameOf(part)} to be gone`);
  if (standing(part, node) !== 'granted' || !isSplit(whole!)) {
    return wait(`its node manager to grant ${nameOf(part)}`, true);
  }
  if (!isOffered(part)) return wait(`the value of ${nameOf(part)}: ${OPERATOR}`);
  return wait(`the value of ${nameOf(part)} to be shown in the slice's namespace`);
}

function nameOf({ metadata }: ResourceCapability): string {
  return `${metadata.namespace}/${metadata.name}`;
}
