/** The SliceNode of a Node: made when the Node appears, kept when it goes, told what the API server knows of it. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '../../crds/names.ts';
import { formatAddress, parseAddress } from '../../crds/ipaddress.ts';
import { parseQuantity } from '../../crds/quantity.ts';
import type {
  NodeAllocatable,
  NodeDefaults,
  NodeFactsStatus,
  NodeRestraint,
  SliceNode,
  SliceNodeStatus,
} from '../../crds/types.ts';
import type { Node, NodeAddress } from '../kinds.ts';

export interface NodePlan {
  /** To be made: without an owner, so that a Node registered anew finds its owner's policy. */
  create: SliceNode | undefined;
  /** All of ours in the status of the SliceNode, where it is to be written. */
  status: Pick<SliceNodeStatus, 'node' | 'restraints' | 'defaults'> | undefined;
}

export function planNode(
  name: string,
  node: Node | undefined,
  present: SliceNode | undefined,
  restraints: NodeRestraint[],
  defaults?: NodeDefaults,
): NodePlan {
  if (!node || node.metadata.deletionTimestamp || present?.metadata.deletionTimestamp) {
    return { create: undefined, status: undefined };
  }
  const told = { ...(restraints.length > 0 && { restraints }), ...(defaults && { defaults }) };
  const status = { node: factsOf(node), ...told };
  if (!present) {
    const create: SliceNode = { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name }, spec: {} };
    return { create, status };
  }
  const { node: facts, restraints: known = [], defaults: before } = present.status ?? {};
  const isSame = isDeepStrictEqual([facts, known, before], [status.node, restraints, defaults]);
  return { create: undefined, status: isSame ? undefined : status };
}

function factsOf(node: Node): NodeFactsStatus {
  const address = addressOf(node.status?.addresses ?? []);
  return {
    uid: node.metadata.uid,
    ...(address !== undefined && { address }),
    allocatable: allocatableOf(node.status?.allocatable ?? {}),
  };
}

function addressOf(addresses: readonly NodeAddress[]): string | undefined {
  for (const wanted of ['InternalIP', 'ExternalIP']) {
    for (const { type, address } of addresses) {
      const bytes = type === wanted ? parseAddress(address) : undefined;
      if (bytes) return formatAddress(bytes);
    }
  }
  return undefined;
}

/** Rounded down: nobody is promised a part of a byte. */
export function allocatableOf(allocatable: Readonly<Record<string, string>>): NodeAllocatable {
  const amount = (resource: string, unit = 1) => {
    const quantity = allocatable[resource];
    return quantity === undefined ? undefined : Math.floor(parseQuantity(quantity) / unit + 1e-6);
  };
  return withoutUndefined({
    cpuMilli: amount('cpu', 0.001),
    memory: amount('memory'),
    disk: amount('ephemeral-storage'),
    pods: amount('pods'),
  });
}

function withoutUndefined(given: NodeAllocatable): NodeAllocatable {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
