/** What a pass goes by besides the rcaps: the Node, its owner's policy, what the node has promised to others. */
import { isDeepStrictEqual } from 'node:util';
import type { SliceNode } from '../crds/types.ts';
import type { PolicyReading, PolicySource } from './admission/ownerfile.ts';
import type { Policy } from './admission/policy.ts';
import type { NodeState } from './checkpoint.ts';
import type { Orders } from './owner/orders.ts';
import type { Problem } from './sliver.ts';
import type { StateStore } from './state.ts';

export interface GatherParts {
  store: StateStore;
  policy: Pick<PolicySource, 'read'>;
  /** What the owner says on the node itself; throws where that can't be read. */
  orders(): Orders;
  /** Our SliceNode; undefined while the API server was not heard. */
  sliceNode(): SliceNode | undefined;
  /** CPU that other pods requested, in 1/1000 of a core; `fresh`: as of now, else as it was when last asked. */
  otherRequests(slivers: ReadonlySet<string>, cpuMilli: number, fresh: boolean): number;
  /** The rate of the slowest uplink in bits/s, where known. */
  lineRate(lines: Policy['lines']): number | undefined;
}

export interface Gathered {
  node: NodeState['node'];
  reading: PolicyReading;
  otherRequests: number;
  lineRate: number | undefined;
  /** Of the SliceNode whose spec the policy has; undefined where none was heard since the start. */
  generation: number | undefined;
}

export function gather(parts: GatherParts, fresh: boolean, problems: Problem[]): Gathered {
  const generation = hearNode(parts);
  attempt(problems, 'OrdersUnknown', () => hearOwner(parts));
  const { node, pods } = parts.store.get();
  const reading = hearPolicy(parts, problems);
  const others = (): number =>
    node ? parts.otherRequests(new Set(pods.map(({ uid }) => uid)), node.cpuMilli, fresh) : 0;
  return {
    node,
    reading,
    // Unknown is as much as everything: nothing is granted on a guess.
    otherRequests: attempt(problems, 'RequestsUnknown', others) ?? node?.cpuMilli ?? 0,
    lineRate: attempt(problems, 'LineRateUnknown', () => parts.lineRate(reading.policy?.lines ?? [])),
    generation,
  };
}

/** The Node and its owner's policy as the API server has them, kept for the time when it can't be reached. */
function hearNode({ store, sliceNode }: GatherParts): number | undefined {
  const heard = sliceNode();
  if (!heard) return undefined;
  const { uid, allocatable } = heard.status?.node ?? {};
  const { cpuMilli, memory, disk, pods } = allocatable ?? {};
  const before = store.get();
  const change: Partial<NodeState> = {};
  if (uid && cpuMilli && memory !== undefined) {
    const node = { uid, cpuMilli, memory, disk: disk ?? 0, pods: pods ?? 0 };
    if (JSON.stringify(node) !== JSON.stringify(before.node)) change.node = node;
  }
  if (JSON.stringify(heard.spec) !== JSON.stringify(before.spec)) change.spec = heard.spec;
  // the operator writes all of it at once: a SliceNode that it has not written to yet frees nobody, and has no defaults yet
  const restraints = uid ? (heard.status?.restraints ?? []) : before.restraints;
  if (JSON.stringify(restraints) !== JSON.stringify(before.restraints)) change.restraints = restraints;
  const defaults = uid ? heard.status?.defaults?.policy : before.defaults;
  if (JSON.stringify(defaults) !== JSON.stringify(before.defaults)) change.defaults = defaults;
  store.accept(change);
  return heard.metadata.generation;
}

/** The last valid one is kept: what is said may make no sense when the next run begins. */
function hearPolicy({ store, policy }: GatherParts, problems: Problem[]): PolicyReading {
  const reading = policy.read(store.get());
  const { valid } = reading;
  if (valid && !isDeepStrictEqual(valid, store.get().policy)) store.accept({ policy: valid });
  if (!reading.policy) {
    const message = `there never was a valid policy of the node's owner: what was granted is enforced, and nothing else is granted: ${reading.problem}`;
    problems.push({ reason: 'PolicyUnknown', message });
  }
  return reading;
}

/** Kept too: where the files can't be read, what was said before holds. */
function hearOwner({ store, orders }: GatherParts): void {
  const said = orders();
  if (!isDeepStrictEqual(said, store.get().orders)) store.accept({ orders: said });
}

/** The value, or undefined and a problem: what one part can't do must not keep the others from their work. */
export function attempt<T>(problems: Problem[], reason: string, work: () => T, sliver?: string): T | undefined {
  try {
    return work();
  } catch (error) {
    problems.push({ ...(sliver && { sliver }), reason, message: (error as Error).message });
    return undefined;
  }
}
