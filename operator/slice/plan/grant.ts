/** How an rcap stands, read from what its node says. */
import { CapabilityCondition, CapabilityReason, getCondition, type Condition } from '../../../crds/conditions.ts';
import { QuantityError } from '../../../crds/quantity.ts';
import { amounts } from '../../../crds/rspec.ts';
import type { Grant, ResourceCapability, Rspec } from '../../../crds/types.ts';
import type { NodeState } from './input.ts';

export type Standing = 'granted' | 'denied' | 'expired' | 'pending';

/** `denied` only where the node judged this very generation; a grant of a node's former life is none. */
export function standing(capability: ResourceCapability, node: NodeState | undefined): Standing {
  const granted = grantedCondition(capability);
  if (!granted) return 'pending';
  if (granted.status === 'True') {
    if (grantProblem(capability)) return 'pending';
    const uid = capability.status?.granted?.nodeUID;
    return node?.uid !== undefined && uid !== undefined && uid !== node.uid ? 'pending' : 'granted';
  }
  if (granted.reason === CapabilityReason.Expired) return 'expired';
  return granted.status === 'False' && isJudged(capability) ? 'denied' : 'pending';
}

/** Whether the node has seen the present spec. */
export function isJudged(capability: ResourceCapability): boolean {
  const seen = capability.status?.observedGeneration ?? grantedCondition(capability)?.observedGeneration ?? 0;
  return seen >= (capability.metadata.generation ?? 0);
}

/** Granted, but the last edit was refused, so that the old grant holds. */
export function isResizeDenied(capability: ResourceCapability): boolean {
  const granted = grantedCondition(capability);
  return granted?.status === 'True' && granted.reason === CapabilityReason.ResizeDenied;
}

/** What was granted; undefined where nothing was, or what the node wrote makes no sense. */
export function grantOf(capability: ResourceCapability): Grant | undefined {
  return grantProblem(capability) ? undefined : capability.status?.granted;
}

/** What the right's own sliver may use: less than was granted where others were split from it; undefined where that is nothing. */
export function leftOf({ resources, left, givenAway }: Grant): Rspec | undefined {
  return givenAway ? undefined : (left ?? resources);
}

/**
 * Why what a node says it granted can't be acted on. A schema bounds no quantity (`1e999` has the shape of one), and what one
 * node writes must not keep the slice from its other nodes.
 */
export function grantProblem(capability: ResourceCapability): string | undefined {
  try {
    amounts(capability.status?.granted?.resources);
    amounts(capability.status?.granted?.left);
    return undefined;
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error;
    return `its node manager wrote a grant that makes no sense: ${error.message}`;
  }
}

export function grantedCondition(capability: ResourceCapability): Condition | undefined {
  return getCondition(capability.status?.conditions, CapabilityCondition.Granted);
}
