import assert from 'node:assert/strict';
import { MutableStore } from '../../../kube/store.ts';
import type { SliceNode } from '../../../crds/types.ts';
import type { Node } from '../../../operator/kinds.ts';
import { Heartbeats } from '../../../operator/node/heartbeat.ts';
import { NodeView } from '../../../operator/node/view.ts';

describe('the view of the nodes', () => {
  const nodes = new MutableStore<Node>();
  const sliceNodes = new MutableStore<SliceNode>();
  const heartbeats = new Heartbeats({ wall: () => 0, monotonic: () => 0 });
  const told: string[] = [];
  const onChange = (name: string, reach: string) => told.push(`${name} ${reach}`);
  const view = new NodeView({ stores: { nodes, sliceNodes }, heartbeats, onChange });
  let version = 0;

  const metadata = () => ({ name: 'n1', uid: 'u1', resourceVersion: String(++version) });
  function node(more: Pick<Node, 'spec'> = {}): string[] {
    nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: metadata(), ...more });
    return tell();
  }
  function sliceNode(status: SliceNode['status']): string[] {
    sliceNodes.put({ apiVersion: 'v', kind: 'SliceNode', metadata: metadata(), status });
    return tell();
  }
  function tell(): string[] {
    view.update('n1');
    return told.splice(0);
  }

  it('tells whom a change concerns: what a node says of itself never all slices', () => {
    assert.deepEqual(node(), ['n1 placement'], 'a new node');
    assert.deepEqual(node(), [], 'nothing that matters');
    const facts = { uid: 'u1', allocatable: { cpuMilli: 4000 } };
    assert.deepEqual(sliceNode({ node: facts }), ['n1 slivers']);
    assert.deepEqual(sliceNode({ node: facts, free: { shares: 1 } }), []);
    assert.deepEqual(sliceNode({ node: { ...facts, allocatable: { cpuMilli: 1 } } }), ['n1 slivers']);
    assert.deepEqual(node({ spec: { unschedulable: true } }), ['n1 placement']);
  });
});
