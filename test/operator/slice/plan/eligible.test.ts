import assert from 'node:assert/strict';
import { isOpen, matches, mayStay, sayUnlabelled, tolerates } from '../../../../operator/slice/plan/eligible.ts';
import { aNode } from '../objects.ts';

describe('eligible nodes', () => {
  const gpu = { key: 'gpu', value: 'yes', effect: 'NoSchedule' } as const;

  it('have every label that is asked for', () => {
    const node = aNode('n1', { labels: { zone: 'a', disk: 'ssd' } });
    assert.equal(matches(node, { nodeSelector: { zone: 'a', disk: 'ssd' } }), true);
    assert.equal(matches(node, { nodeSelector: { zone: 'a', disk: 'hdd' } }), false);
    assert.equal(matches(node, { nodeSelector: { rack: '' } }), false);
    assert.equal(matches(node, undefined), true);
  });

  it('have the label that Spread and Cluster go by', () => {
    assert.equal(matches(aNode('n1'), { policy: 'Spread', topologyKey: 'zone' }), false);
    assert.equal(matches(aNode('n1', { labels: { zone: 'a' } }), { policy: 'Cluster', topologyKey: 'zone' }), true);
  });

  it('are told how many that label keeps away, and no other thing does', () => {
    const nodes = [aNode('n1'), aNode('n2', { labels: { zone: 'a' } }), aNode('n3'), aNode('n4', { taints: [gpu] })];
    const spread = { policy: 'Spread', topologyKey: 'zone' } as const;
    assert.equal(sayUnlabelled(nodes, spread), ' (2 lack the label zone, its topologyKey)');
    assert.equal(sayUnlabelled(nodes.slice(0, 2), spread), ' (1 lacks the label zone, its topologyKey)');
    assert.equal(sayUnlabelled(nodes.slice(1, 2), spread), '');
    assert.equal(sayUnlabelled(nodes, { nodeSelector: { disk: 'ssd' } }) + sayUnlabelled(nodes, undefined), '');
  });

  it('have no taint that is not tolerated; one put on later sends away only with NoExecute', () => {
    const soft = aNode('n1', { taints: [gpu] });
    const hard = aNode('n2', { taints: [{ ...gpu, effect: 'NoExecute' }] });
    assert.deepEqual([matches(soft, undefined), mayStay(soft, undefined)], [false, true]);
    assert.deepEqual([matches(hard, undefined), mayStay(hard, undefined)], [false, false]);
    const placement = { tolerations: [{ key: 'gpu', operator: 'Exists' as const }] };
    assert.deepEqual([matches(soft, placement), mayStay(hard, placement)], [true, true]);
    const preferred = aNode('n3', { taints: [{ ...gpu, effect: 'PreferNoSchedule' }] });
    assert.equal(matches(preferred, undefined), true);
  });

  it('may be under pressure, as for a DaemonSet', () => {
    const taints = [{ key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' as const }];
    assert.equal(matches(aNode('n1', { taints }), undefined), true);
  });

  it('are open unless cordoned, lost or gone', () => {
    assert.equal(isOpen(aNode('n1')), true);
    assert.equal(isOpen(aNode('n1', { cordoned: true })), false);
    assert.equal(isOpen(aNode('n1', { lost: 'is not ready' })), false);
    assert.equal(isOpen(aNode('n1', { uid: undefined })), false);
  });

  it('tolerate as the scheduler does', () => {
    assert.equal(tolerates({ operator: 'Exists' }, gpu), true);
    assert.equal(tolerates({ key: 'gpu', value: 'yes' }, gpu), true);
    assert.equal(tolerates({ key: 'gpu', value: 'no' }, gpu), false);
    assert.equal(tolerates({ key: 'gpu' }, gpu), false);
    assert.equal(tolerates({ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }, gpu), false);
  });
});
