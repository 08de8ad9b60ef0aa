import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import { planDefaultBroker } from '../../../operator/brokers/default/plan.ts';
import { planSlice } from '../../../operator/slice/plan/plan.ts';
import { aNode, anInput, aRight, aSlice, at, granted, NOW, running } from '../slice/objects.ts';

const nodes = [aNode('n1'), aNode('n2')];

describe('the default broker', () => {
  it('alone acquires: the slice controller makes no right', () => {
    const input = anInput(aSlice(), nodes);
    assert.deepEqual(planSlice(input, NOW).steps.flat(), []);
    const { effects } = planDefaultBroker(input, NOW);
    assert.deepEqual(
      effects.map(({ kind, node }) => [kind, node]),
      [
        ['create', 'n1'],
        ['create', 'n2'],
      ],
    );
  });

  it('does nothing for a slice that ends or is refused: what it has goes otherwise', () => {
    const ending = aSlice();
    ending.metadata.deletionTimestamp = at(0);
    for (const slice of [ending, aSlice({ window: { end: at(-1) } })]) {
      const { effects, wakeAt } = planDefaultBroker(anInput(slice, nodes), NOW);
      assert.deepEqual([effects, wakeAt], [[], undefined]);
    }
  });

  it('acquires nothing for a slice that names another broker, and gives back what it had', () => {
    const slice = aSlice({ broker: 'queue' });
    assert.deepEqual(planDefaultBroker(anInput(slice, nodes), NOW).effects, []);
    const had = running(slice, nodes);
    assert.deepEqual(
      planDefaultBroker(had, NOW).effects.map((effect) => effect.kind === 'remove' && effect.why),
      ['OtherBroker', 'OtherBroker'],
    );
    assert.deepEqual(planSlice(had, NOW).steps.flat(), [], 'their pods go with them');
  });

  it('left out, leaves what there is as it is, and slices say for whom they wait', () => {
    const slice = aSlice();
    const had = running(slice, [nodes[0]!], { brokering: false });
    assert.deepEqual(planSlice(had, NOW).steps.flat(), []);
    const both = planSlice({ ...had, nodes: new Map(nodes.map((node) => [node.name, node])) }, NOW).status([], NOW);
    const allocated = getCondition(both.conditions, 'Allocated')!;
    assert.equal(allocated.reason, 'WaitingForBroker');
    assert.match(allocated.message, /^1 of 2 granted; the default broker does not run: bind rights/);
    const named = planSlice(anInput(aSlice({ broker: 'queue' }), nodes, { brokering: false }), NOW).status([], NOW);
    assert.match(getCondition(named.conditions, 'Ready')!.message, /waits for the broker in namespace queue$/);
  });

  it('left out, leaves slivers to run by rights that are bound to the slice', () => {
    const slice = aSlice({ broker: 'queue' });
    const right = granted(aRight(slice, 'n1'));
    const { ownerReferences: _, ...metadata } = right.metadata;
    const grant = { ...right.status!.granted!, sliceName: 'web' };
    const bound = [{ ...right, metadata, status: { ...right.status, granted: grant } }];
    for (const brokering of [true, false]) {
      const [pod, ...more] = planSlice(anInput(slice, nodes, { bound, brokering }), NOW).steps.flat();
      assert.equal(pod!.kind === 'create' && pod!.object.kind, 'Pod');
      assert.deepEqual(more, []);
    }
  });
});
