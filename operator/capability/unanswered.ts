/**
 * Rights that nobody answers: a node answers those that carry its label, and no node those that name none. Told by an Event and
 * not by a condition: whoever may write a right's status could also write that it is granted, and only a node may.
 */
import { CapabilityEvent } from '../../crds/conditions.ts';
import { LABEL_NODE, nodeLabelValue } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { isDeleting } from '../kinds.ts';
import { grantedCondition } from '../slice/plan/grant.ts';
import type { NodeState } from '../slice/plan/input.ts';

export interface Unanswered {
  reason: keyof typeof CapabilityEvent;
  message: string;
}

/** Why the right has no answer and will not have one soon; undefined where it has one, or it is on its way. */
export function whyUnanswered(
  capability: ResourceCapability,
  nodes: ReadonlyMap<string, NodeState>,
): Unanswered | undefined {
  if (isDeleting(capability) || grantedCondition(capability)) return undefined;
  const { nodeName } = capability.spec;
  const node = nodes.get(nodeName);
  if (node?.uid === undefined) {
    const message = `there is no node ${nodeName}, so nobody answers: delete it, and ask one that is READY in kubectl get slicenodes`;
    return { reason: CapabilityEvent.UnknownNode, message };
  }
  const label = capability.metadata.labels?.[LABEL_NODE];
  const wanted = nodeLabelValue(nodeName);
  // where it is another node's label, that node says so
  if (label !== wanted && ![...nodes.keys()].some((name) => nodeLabelValue(name) === label)) {
    const command = `kubectl label rcap ${capability.metadata.name} ${LABEL_NODE}=${wanted} --overwrite`;
    return {
      reason: CapabilityEvent.NoNodeLabel,
      message: `a node finds its rights by their label, and this has none: ${command}`,
    };
  }
  return node.lost === undefined
    ? undefined
    : { reason: CapabilityEvent.NodeLost, message: `${nodeName} ${node.lost}` };
}
