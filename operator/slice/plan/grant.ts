/** How an rcap stands, read from what its node says. */
import { CapabilityCondition, CapabilityReason, getCondition, type Condition } from '../../../crds/conditions.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { NodeState } from './input.ts';

export type Standing = 'granted' | 'denied' | 'expired' | 'pending';

/** Reasons for which another node, or another day, gives the same answer: only another spec helps. */
const HOPELESS: ReadonlySet<string> = new Set([
  CapabilityReason.InvalidSpec,
  CapabilityReason.WrongNode,
  CapabilityReason.Unsupported,
  CapabilityReason.WindowPast,
]);

/** `denied` only where the node judged this very generation; a grant of a node's former life is none. */
export function standing(capability: ResourceCapability, node: NodeState | undefined): Standing {
  const granted = grantedCondition(capability);
  if (!granted) return 'pending';
  if (granted.status === 'True') {
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

export function isHopeless(capability: ResourceCapability): boolean {
  return HOPELESS.has(grantedCondition(capability)?.reason ?? '');
}

export function grantedCondition(capability: ResourceCapability): Condition | undefined {
  return getCondition(capability.status?.conditions, CapabilityCondition.Granted);
}
