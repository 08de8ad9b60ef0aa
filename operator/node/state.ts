/** A node as placement sees it, from its Node, its SliceNode and its manager's heartbeat. */
import type { SliceNode } from '../../crds/types.ts';
import type { Node } from '../kinds.ts';
import type { NodeState } from '../slice/plan/input.ts';
import { HEARTBEAT_TIMEOUT_MS } from './heartbeat.ts';

/** `sliceNode` alone: the Node is gone and may come back. */
export function nodeState(
  name: string,
  node: Node | undefined,
  sliceNode: SliceNode | undefined,
  heartbeat: 'alive' | 'silent' | 'never',
): NodeState {
  const uid = node?.metadata.uid;
  const facts = sliceNode?.status?.node;
  return {
    name,
    uid,
    labels: node?.metadata.labels ?? {},
    taints: node?.spec?.taints ?? [],
    cordoned: node?.spec?.unschedulable ?? false,
    lost: lostBecause(node, heartbeat),
    allocatable: uid !== undefined && facts?.uid === uid ? facts.allocatable : undefined,
    free: sliceNode?.status?.free,
  };
}

function lostBecause(node: Node | undefined, heartbeat: 'alive' | 'silent' | 'never'): string | undefined {
  if (!node) return 'is gone from the cluster';
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return `is not ready (${ready?.reason ?? 'no condition'})`;
  if (heartbeat === 'never') return 'has no node manager that was ever heard of';
  if (heartbeat === 'silent') return `has sent no heartbeat for ${HEARTBEAT_TIMEOUT_MS / 1000} s; see its node manager`;
  return undefined;
}
