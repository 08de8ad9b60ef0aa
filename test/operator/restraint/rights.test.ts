import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { planWhy } from '../../../operator/kubectl/why.ts';
import type { Effect, SliceInput } from '../../../operator/slice/plan/input.ts';
import { anInput, aNode, aPod, aRight, aSlice, condition, granted, NOW, planWhole, running } from '../slice/objects.ts';

const BY = { right: 'broker/whole', reason: 'probes our customers', contact: 'ops@broker.example' };

describe('slivers that holders of rights suspend', () => {
  const nodes = [aNode('n1'), aNode('n2')];

  /** As its node says it. */
  function held(right: ResourceCapability, by = [BY]): ResourceCapability {
    const ready = condition('Ready', 'False', 'Suspended');
    const message = `the right is kept, and suspended by the holder of right ${by[0]?.right}`;
    const conditions = [condition('Granted', 'True', 'Granted'), { ...ready, message }];
    return { ...right, status: { ...right.status, conditions, ...(by.length > 0 && { suspendedBy: by }) } };
  }
  /** Granted, bound to the slice, and nobody's. */
  function gift(slice: Slice, node: string): ResourceCapability {
    const right = granted(aRight(slice, node));
    const { ownerReferences: _, ...metadata } = { ...right.metadata, name: `gift-${node}`, uid: `uid-of-gift-${node}` };
    const grant = { ...right.status!.granted!, sliceName: slice.metadata.name };
    return { ...right, metadata, status: { ...right.status, granted: grant } };
  }
  const podsOf = (slice: Slice, ...rights: ResourceCapability[]) =>
    new Map(rights.map((right) => [right.metadata.name, aPod(slice, right)]));
  const effects = (input: SliceInput): string[] =>
    planWhole(input, NOW)
      .steps.flat()
      .map((effect: Effect) => `${effect.kind} ${effect.kind === 'remove' ? effect.why : ''} ${effect.node}`);

  it('lose their pods and get none, their neighbours keep theirs, and no right is acquired in their place', () => {
    const slice = aSlice();
    const bound = [held(gift(slice, 'n1')), gift(slice, 'n2')];
    assert.deepEqual(effects(anInput(slice, nodes, { bound, pods: podsOf(slice, ...bound) })), ['remove Suspended n1']);
    assert.deepEqual(effects(anInput(slice, nodes, { bound, pods: podsOf(slice, bound[1]!) })), []);
    const lifted = [gift(slice, 'n1'), bound[1]!];
    const pods = podsOf(slice, bound[1]!);
    assert.deepEqual(effects(anInput(slice, nodes, { bound: lifted, pods })), ['create  n1'], 'until it is lifted');
  });

  it('stay so when the slice is made again, and while its node has yet to say more', () => {
    const slice = aSlice();
    const again = { ...slice, metadata: { ...slice.metadata, uid: 'another' } };
    const bound = [held(gift(slice, 'n1'))];
    assert.deepEqual(effects(anInput(again, [aNode('n1')], { bound })), []);
    const { conditions: _, ...silent } = bound[0]!.status!;
    const waiting = [{ ...bound[0]!, status: { ...silent, conditions: [condition('Granted', 'True', 'Granted')] } }];
    assert.deepEqual(effects(anInput(slice, [aNode('n1')], { bound: waiting })), []);
  });

  it('are told by the Slice, with the right, its reason and its contact, beside all others who suspend it', () => {
    const slice = aSlice();
    const bound = [held(gift(slice, 'n1')), gift(slice, 'n2')];
    const input = anInput(slice, nodes, { bound, pods: podsOf(slice, bound[1]!) });
    const status = planWhole(input, NOW).status([], NOW);
    assert.deepEqual(status.suspendedBy, [{ node: 'n1', ...BY }]);
    const ready = getCondition(status.conditions, 'Ready')!;
    assert.equal(ready.reason, 'Suspended');
    assert.match(ready.message, /^1 of 2 running; n1: the right is kept, and suspended by the holder of right broker/);
    const restraint = { apiVersion: '', kind: 'Restraint', metadata: { name: 'abuse' } };
    const restraints = [{ ...restraint, spec: { namespace: 'site', suspended: true, reason: 'x' } }];
    const both = planWhole({ ...input, restraints }, NOW).status([], NOW);
    assert.equal(both.restraints?.length, 1);
    assert.deepEqual(both.suspendedBy, [{ node: 'n1', ...BY }]);
    assert.equal(
      getCondition(both.conditions, 'Ready')!.message,
      'suspended by Restraint abuse: x; the holder of right broker/whole (ops@broker.example) on n1: probes our customers: the rights are kept, the pods are not',
    );
    const lines = planWhy({
      slice: { ...slice, status },
      slivers: bound.map((right) => ({ node: right.spec.nodeName, right, pod: undefined })),
      nodes: undefined,
    });
    assert.ok(
      lines.some((line) => /^n1 gives it nothing now \(Suspended\): .* holder of right broker\/whole/.test(line)),
      lines.join('\n'),
    );
  });

  it('are told a few at a time, however many nodes there are', () => {
    const slice = aSlice();
    const many = Array.from({ length: 20 }, (_, i) => aNode(`m${String(i).padStart(2, '0')}`));
    const bound = many.map(({ name }) => held(gift(slice, name))).toReversed();
    const { suspendedBy } = planWhole(anInput(slice, many, { bound }), NOW).status([], NOW);
    assert.deepEqual(
      suspendedBy!.map(({ node }) => node),
      many.slice(0, 8).map(({ name }) => name),
    );
  });

  it('a Slice’s own right may say so, too: a renewal leaves it as it is', () => {
    const slice = aSlice({ resources: { cpu: { shares: 2 } } });
    const input = running(slice, [aNode('n1')]);
    const suspended = { reason: 'of its own' };
    const [right] = input.capabilities;
    const says = { ...right!, spec: { ...right!.spec, suspended } };
    const edits = planWhole({ ...input, capabilities: [says] }, NOW)
      .steps.flat()
      .flatMap((effect) => (effect.kind === 'edit' ? [effect.patch] : []));
    assert.deepEqual(edits, [{ spec: { resources: slice.spec.resources } }]);
  });
});
