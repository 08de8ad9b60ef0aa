/** What a right takes of its site's pool. */
import type { ResourceCapability, Rspec } from '../../crds/types.ts';
import { grantedCondition, isJudged } from '../slice/plan/grant.ts';
import { beyond, pieceOf, type Piece } from './profile.ts';

/**
 * What was granted, and what is asked for as long as its node has not answered: of both, the larger counts at each instant. A
 * right that was refused, or is over, takes nothing.
 */
export function hasOf(capability: ResourceCapability): Piece[] {
  const { spec, status } = capability;
  const condition = grantedCondition(capability);
  const isGranted = condition?.status === 'True';
  return [
    ...(isGranted && status?.granted ? [pieceOf(sharesIn(status.granted.resources), status.granted.window)] : []),
    ...(condition && isJudged(capability) ? [] : [pieceOf(sharesIn(spec.resources), spec.window)]),
  ];
}

/** The same in pieces that may be added up. */
export function heldBy(capability: ResourceCapability): Piece[] {
  return hasOf(capability).reduce((held: Piece[], piece) => [...held, ...beyond(held, piece)], []);
}

function sharesIn(resources: Rspec | undefined): number {
  return resources?.cpu?.shares ?? 1;
}
