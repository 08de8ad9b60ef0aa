/** The end of a slice: its rights are released, its pods go with them, and only then the Slice itself. */
import { isDeleting, refOf } from '../../kinds.ts';
import { endBound } from './bound.ts';
import type { Effect, SliceInput } from './input.ts';

export interface DeletionPlan {
  effects: Effect[];
  /** What is still there that a node has to let go of; the finalizer stays until this is empty. */
  waitingFor: string[];
}

/**
 * The finalizer waits for API objects only, and not for those of a node that is lost: their end is decided already, and
 * they go when the node is back or its Node object is deleted.
 */
export function planDeletion(input: SliceInput): DeletionPlan {
  const { capabilities, bound, pods, nodes, bootScript } = input;
  // the rights themselves are others' to release
  const effects: Effect[] = endBound(input, [], 'Deleting');
  const waitingFor: string[] = [];
  for (const capability of capabilities) {
    const { nodeName } = capability.spec;
    const reachable = nodes.get(nodeName)?.uid !== undefined && nodes.get(nodeName)?.lost === undefined;
    if (!isDeleting(capability)) {
      effects.push({
        kind: 'remove',
        ref: refOf(capability),
        why: 'Deleting',
        propagation: 'Foreground',
        node: nodeName,
      });
      waitingFor.push(`ResourceCapability ${capability.metadata.name} on ${nodeName}`);
    } else if (reachable) {
      const pod = pods.get(capability.metadata.name);
      waitingFor.push(`${pod ? 'Pod' : 'ResourceCapability'} ${capability.metadata.name} on ${nodeName}`);
    }
  }
  for (const { metadata, spec } of bound) {
    const node = nodes.get(spec.nodeName);
    const reachable = node?.uid !== undefined && node.lost === undefined;
    if (reachable && pods.has(metadata.name)) waitingFor.push(`Pod ${metadata.name} on ${spec.nodeName}`);
  }
  if (bootScript) {
    if (!isDeleting(bootScript)) {
      effects.push({ kind: 'remove', ref: refOf(bootScript), why: 'Deleting', propagation: 'Background' });
    }
    waitingFor.push(`ConfigMap ${bootScript.metadata.name}`);
  }
  return { effects, waitingFor };
}
