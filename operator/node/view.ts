/** All nodes as placement sees them, kept up to date one by one. */
import { isDeepStrictEqual } from 'node:util';
import { leaseName } from '../../crds/names.ts';
import type { NodeState } from '../slice/plan/input.ts';
import type { Stores } from '../stores.ts';
import type { Heartbeats } from './heartbeat.ts';
import { nodeState } from './state.ts';

export class NodeView {
  readonly #stores: Pick<Stores, 'nodes' | 'sliceNodes'>;
  readonly #heartbeats: Heartbeats;
  readonly #onChange: (name: string, after: NodeState | undefined) => void;
  readonly #nodes = new Map<string, NodeState>();
  /** Lease names of nodes, so that a lease finds its node. */
  readonly #byLease = new Map<string, string>();

  /** `onChange` is called for what may move a sliver; what is left free on a node moves none that is placed. */
  constructor(options: {
    stores: Pick<Stores, 'nodes' | 'sliceNodes'>;
    heartbeats: Heartbeats;
    onChange: (name: string, after: NodeState | undefined) => void;
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
      if (before) this.#onChange(name, undefined);
      return;
    }
    const after = nodeState(name, node, sliceNode, this.#heartbeats.state(lease));
    this.#nodes.set(name, after);
    this.#byLease.set(lease, name);
    if (!before || !isDeepStrictEqual({ ...before, free: undefined }, { ...after, free: undefined })) {
      this.#onChange(name, after);
    }
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
