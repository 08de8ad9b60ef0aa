/** What a node writes is believed about that node only: it must not stop a slice on the others. */
import assert from 'node:assert/strict';
import { amounts } from '../../../../crds/rspec.ts';
import type { NodeBooks, Rspec } from '../../../../crds/types.ts';
import { nodeState } from '../../../../operator/node/state.ts';
import { planPlacement } from '../../../../operator/slice/plan/placement.ts';
import { anInput, aNode, aRight, aSlice, denied, granted, NOW, planWhole, running } from '../objects.ts';

const NONSENSE = ['x', '', '-1', '1e999', '9'.repeat(24)];

describe('a node that writes nonsense', () => {
  it('is a node without room, where that is what it says it has left', () => {
    const slice = aSlice({ placement: { count: 1 }, resources: { memory: '1Gi', disk: '1Gi' } });
    for (const amount of NONSENSE) {
      const free: NodeBooks = { shares: 900, pods: 9, egress: amount, memory: amount, disk: amount };
      const sliceNode = { apiVersion: 'v', kind: 'SliceNode', metadata: { name: 'n1' }, spec: {}, status: { free } };
      const odd = aNode('n1', { free: nodeState('n1', undefined, sliceNode, 'alive').free });
      const { acquire } = planPlacement(anInput(slice, [odd, aNode('n2')]), () => amounts(slice.spec.resources), NOW);
      assert.deepEqual(acquire, [{ node: 'n2', attempt: 0 }], amount);
    }
  });

  it('has granted nothing, and says so itself; the others go on', () => {
    const slice = aSlice({ sliver: { image: 'example.org/web:2' } });
    const nodes = [aNode('n1'), aNode('n2'), aNode('n3')];
    for (const amount of NONSENSE) {
      for (const resources of [{ memory: amount }, { egress: { limit: amount } }] as Rspec[]) {
        const input = running(aSlice(), nodes);
        const [odd, ...others] = input.capabilities;
        const wrong = { ...odd!, status: { ...odd!.status, granted: { ...odd!.status!.granted!, resources } } };
        const plan = planWhole({ ...input, slice, capabilities: [wrong, ...others] }, NOW);
        assert.deepEqual(
          plan.steps.flat().map((effect) => [effect.kind, effect.node]),
          [['remove', 'n2']],
          `${amount}: the update goes on where it can`,
        );
        const { nodes: counts, conditions } = plan.status([], NOW);
        assert.deepEqual([counts!.granted, counts!.running], [2, 2]);
        assert.match(conditions![0]!.message, /n1: its node manager wrote a grant that makes no sense: /);
      }
    }
  });

  it('is no reason not to ask another, whatever its reason', () => {
    const slice = aSlice({ placement: { count: 1 } });
    for (const reason of ['InvalidSpec', 'WrongNode', 'NotRedeemable', 'WindowPast', 'Nonsense']) {
      const capabilities = [denied(aRight(slice, 'n1'), 0, 0, reason)];
      const input = anInput(slice, [aNode('n1'), aNode('n2')], { capabilities });
      const { acquire } = planPlacement(input, () => amounts(undefined), NOW);
      assert.deepEqual(acquire, [{ node: 'n2', attempt: 1 }], reason);
    }
  });

  it('is asked again in time where every node is wanted', () => {
    const slice = aSlice();
    const capabilities = [denied(aRight(slice, 'n1'), 600_000, 3, 'InvalidSpec'), granted(aRight(slice, 'n2'))];
    const input = anInput(slice, [aNode('n1'), aNode('n2')], { capabilities });
    const { retry } = planPlacement(input, () => amounts(undefined), NOW);
    assert.deepEqual(
      retry.map(({ spec }) => spec.nodeName),
      ['n1'],
    );
  });
});
