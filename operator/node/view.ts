/** All nodes as placement sees them, kept up to date one by one. */
import { isDeepStrictEqual } from 'node:util';
import { leaseName } from '../../crds/names.ts';
import type { NodeState } from '../slice/plan/input.ts';
import type { Stores } from '../stores.ts';
import type { Heartbeats } from './heartbeat.ts';
import { nodeState } from './state.ts';

/** Whom a change of a node concerns: those that have a sliver there, or also those that might get or lose one. */
export type Reach = 'slivers' | 'placement';

export class NodeView {
  readonly #stores: Pick<Stores, 'nodes' | 'sliceNodes'>;
  readonly #heartbeats: Heartbeats;
  readonly #onChange: (name: string, reach: Reach) => void;
  readonly #nodes = new Map<string, NodeState>();
  /** Lease names of nodes, so that a lease finds its node. */
  readonly #byLease = new Map<string, string>();

  /** `onChange` is not called for what is left free on a node: that moves no sliver. */
  constructor(options: {
    stores: Pick<Stores, 'nodes' | 'sliceNodes'>;
    heartbeats: Heartbeats;
    onChange: (name: string, reach: Reach) => void;
  }) {
    this.#stores = options.stores;
    this.#heartbeats = options.heartbeats;
    this.#onChange = options.onChange;
  }

  get nodes(): ReadonlyMap<string, NodeState> {
    return this.#nodes;
  }

  /** Look at the node again: its Node, SliceNode or heartbeat may have changed. */
  update(name: string): void {
    const node = this.#stores.nodes.get(name);
    const sliceNode = this.#stores.sliceNodes.get(name);
    const before = this.#nodes.get(name);
    const lease = leaseName(name);
    if (!node && !sliceNode) {
      this.#nodes.delete(name);
      this.#byLease.delete(lease);
      if (before) this.#onChange(name, 'placement');
      return;
    }
    const after = nodeState(name, node, sliceNode, this.#heartbeats.state(lease));
    this.#nodes.set(name, after);
    this.#byLease.set(lease, name);
    const reach = before ? reachOf(before, after) : 'placement';
    if (reach) this.#onChange(name, reach);
  }

  updateByLease(lease: string): void {
    const name = this.#byLease.get(lease);
    if (name !== undefined) this.update(name);
  }

  /** No event tells that a heartbeat did not come. */
  sweep(): void {
    for (const name of [...this.#nodes.keys()]) this.update(name);
  }
}

/** What the node can allocate is written with its own credentials: it must not have all slices looked at. */
function reachOf(before: NodeState, after: NodeState): Reach | undefined {
  const { free: _1, allocatable, ...placing } = before;
  const { free: _2, allocatable: now, ...placingNow } = after;
  if (!isDeepStrictEqual(placing, placingNow)) return 'placement';
  return isDeepStrictEqual(allocatable, now) ? undefined : 'slivers';
}
