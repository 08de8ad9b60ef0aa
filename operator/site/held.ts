/** What a right takes of its site's pool. */
import type { ResourceCapability } from '../../crds/types.ts';
import { grantedCondition, isJudged, isResizeDenied } from '../slice/plan/grant.ts';
import { askedBefore, askedOf, sharesIn } from './before.ts';
import { beyond, pieceOf, type Piece } from './profile.ts';

/**
 * What was granted, and what is asked for as long as its node has not answered: of both, the larger counts at each instant. A
 * right that was refused, or is over, takes nothing. What the node says that it granted counts no more than what was asked for: a
 * node's word is about itself, and the pool is for all nodes.
 */
export function hasOf(capability: ResourceCapability): Piece[] {
  const isGranted = grantedCondition(capability)?.status === 'True';
  if (!isAnswered(capability)) return [...(isGranted ? oldGrant(capability) : []), askedOf(capability)];
  if (!isGranted) return [];
  return isResizeDenied(capability) ? oldGrant(capability) : [askedOf(capability)];
}

/** The same in pieces that may be added up. */
export function heldBy(capability: ResourceCapability): Piece[] {
  return hasOf(capability).reduce((held: Piece[], piece) => [...held, ...beyond(held, piece)], []);
}

/** All that the node may say that it granted, when it sees the next edit. */
export function mayHold(capability: ResourceCapability): Piece[] {
  return isAnswered(capability) ? hasOf(capability) : [...askedBefore(capability), askedOf(capability)];
}

function isAnswered(capability: ResourceCapability): boolean {
  return grantedCondition(capability) !== undefined && isJudged(capability);
}

/** What the node says that it is, where somebody asked for as much; else all that somebody asked for. */
function oldGrant(capability: ResourceCapability): Piece[] {
  const asked = [...askedBefore(capability), askedOf(capability)];
  const granted = capability.status?.granted;
  if (!granted) return asked;
  const told = pieceOf(sharesIn(granted.resources), granted.window);
  // nodes write whole seconds
  const wide = asked.map((one) => ({ ...one, start: Math.floor(one.start / 1000) * 1000 }));
  const isPlausible = !Number.isNaN(told.start) && !Number.isNaN(told.end) && beyond(wide, told).length === 0;
  return isPlausible ? [told] : asked;
}
