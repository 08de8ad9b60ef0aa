import assert from 'node:assert/strict';
import { API_VERSION } from '../../../crds/names.ts';
import type { SliceNode } from '../../../crds/types.ts';
import type { Node } from '../../../operator/kinds.ts';
import { allocatableOf, planNode } from '../../../operator/node/plan.ts';
import { nodeState } from '../../../operator/node/state.ts';

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', uid: 'u1', labels: { zone: 'a' } },
  status: {
    conditions: [{ type: 'Ready', status: 'True' }],
    allocatable: { cpu: '3900m', memory: '8Gi', pods: '110' },
  },
};
const facts = { uid: 'u1', allocatable: { cpuMilli: 3900, memory: 8 * 2 ** 30, pods: 110 } };
const present: SliceNode = {
  apiVersion: API_VERSION,
  kind: 'SliceNode',
  metadata: { name: 'n1' },
  status: { node: facts },
};

describe('the SliceNode of a Node', () => {
  it('is made without an owner, and told what the Node can allocate', () => {
    const { create, status } = planNode('n1', node, undefined, []);
    assert.deepEqual(create!.metadata, { name: 'n1' });
    assert.deepEqual(status, { node: facts });
  });

  it('is told by which address others reach it, as the Node has it', () => {
    const at = (...addresses: [string, string][]) => {
      const of = addresses.map(([type, address]) => ({ type, address }));
      return planNode('n1', { ...node, status: { ...node.status, addresses: of } }, undefined, []).status!.node!
        .address;
    };
    assert.equal(at(['Hostname', 'n1'], ['ExternalIP', '192.0.2.1'], ['InternalIP', '10.0.0.1']), '10.0.0.1');
    assert.equal(at(['ExternalIP', '2001:DB8:0::1']), '2001:db8::1');
    assert.equal(at(['InternalIP', 'n1']), undefined);
  });

  it('is left alone when nothing changed, when the Node is gone, and when it is itself deleted', () => {
    const nothing = { create: undefined, status: undefined };
    assert.deepEqual(planNode('n1', node, present, []), nothing);
    assert.deepEqual(planNode('n1', undefined, present, []), nothing);
    const deleting = { ...present, metadata: { name: 'n1', deletionTimestamp: 'now' } };
    assert.deepEqual(planNode('n1', { ...node, metadata: { name: 'n1', uid: 'u2' } }, deleting, []), nothing);
  });

  it('is told of a Node that came back as another', () => {
    const back = { ...node, metadata: { ...node.metadata, uid: 'u2' } };
    assert.equal(planNode('n1', back, present, []).status!.node!.uid, 'u2');
  });

  it('is told whom others restrain, and when nobody does any more', () => {
    const restraints = [{ namespace: 'site', slice: 'web', suspended: true }];
    const told = planNode('n1', node, present, restraints).status;
    assert.deepEqual(told, { node: facts, restraints });
    const known = { ...present, status: told };
    assert.equal(planNode('n1', node, known, restraints).status, undefined);
    assert.deepEqual(planNode('n1', node, known, []).status, { node: facts });
  });

  it('is told the defaults for many nodes, and when there are none any more', () => {
    const defaults = { policies: ['lab'], policy: { shares: 100 } };
    const told = planNode('n1', node, present, [], defaults).status;
    assert.deepEqual(told, { node: facts, defaults });
    assert.equal(planNode('n1', node, { ...present, status: told }, [], { ...defaults }).status, undefined);
    assert.deepEqual(planNode('n1', node, { ...present, status: told }, []).status, { node: facts });
  });

  it('counts whole milli-cores and bytes', () => {
    assert.deepEqual(allocatableOf({ cpu: '0.1', 'ephemeral-storage': '1k' }), { cpuMilli: 100, disk: 1000 });
    assert.deepEqual(allocatableOf({ cpu: '1930m' }), { cpuMilli: 1930 });
  });
});

describe('a node as placement sees it', () => {
  it('is in order when its kubelet and its node manager are', () => {
    const { lost, allocatable, labels } = nodeState('n1', node, present, 'alive');
    assert.deepEqual([lost, allocatable, labels], [undefined, facts.allocatable, { zone: 'a' }]);
  });

  it('is lost without either, and says which', () => {
    assert.match(nodeState('n1', node, present, 'silent').lost!, /no heartbeat for 40 s/);
    assert.match(nodeState('n1', node, present, 'never').lost!, /no node manager/);
    assert.match(nodeState('n1', undefined, present, 'alive').lost!, /gone/);
    const status = { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] };
    assert.match(nodeState('n1', { ...node, status }, present, 'alive').lost!, /not ready \(NodeStatusUnknown\)/);
  });

  it('has no facts while those of its former life are all there are', () => {
    const back = { ...node, metadata: { ...node.metadata, uid: 'u2' } };
    assert.equal(nodeState('n1', back, present, 'alive').allocatable, undefined);
  });
});
