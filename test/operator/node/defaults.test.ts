import assert from 'node:assert/strict';
import { array, assert as check, constantFrom, integer, property, record, shuffledSubarray } from 'fast-check';
import type { SliceNodePolicy, SliceNodeSpec } from '../../../crds/types.ts';
import { Combinations, planDefaults, policiesOn } from '../../../operator/node/defaults.ts';
import { sliceNodePolicy } from '../../crds/nodes.ts';

const LABELS = { room: 'lab', rack: 'a' };
const plan = (...policies: SliceNodePolicy[]) => planDefaults(policiesOn(policies, LABELS));
const policy = (name: string, of: SliceNodeSpec, spec: Partial<SliceNodePolicy['spec']> = {}) =>
  sliceNodePolicy(of, spec, name);

describe('policies for many nodes', () => {
  it('are for nodes with all of their labels; for every node where they name none', () => {
    assert.equal(plan().defaults, undefined);
    assert.deepEqual(plan(policy('all', { shares: 1 })).defaults, { policies: ['all'], policy: { shares: 1 } });
    for (const [nodeSelector, isMeant] of [
      [{}, true],
      [{ room: 'lab' }, true],
      [{ room: 'lab', rack: 'a' }, true],
      [{ room: 'lab', rack: 'b' }, false],
      [{ floor: '' }, false],
    ] as const) {
      assert.equal(
        plan(policy('p', {}, { nodeSelector })).defaults !== undefined,
        isMeant,
        JSON.stringify(nodeSelector),
      );
    }
  });

  it('go before each other by priority, then by name, field by field; namespaces by name', () => {
    const { defaults } = plan(
      policy('a', { shares: 1, pods: 1, namespaces: [{ name: 'x', refused: true }] }),
      policy('b', { shares: 2, pods: 2, disk: '2Gi', budget: { ports: 2 } }),
      policy('c', { shares: 3, budget: { shares: 3 }, namespaces: [{ name: 'x' }, { name: 'y' }] }, { priority: 1 }),
    );
    assert.deepEqual(defaults, {
      policies: ['c', 'a', 'b'],
      policy: {
        shares: 3,
        pods: 1,
        disk: '2Gi',
        budget: { ports: 2, shares: 3 },
        namespaces: [{ name: 'x' }, { name: 'y' }],
      },
    });
  });

  it('that are deleted, or make no sense, are left out as a whole, and the reason is told', () => {
    const wrong = policy('wrong', { shares: 5, ports: [{ protocol: 'TCP', from: 2, to: 1 }] }, { priority: 9 });
    const gone = policy('gone', { shares: 6 });
    gone.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
    const { defaults, leftOut } = plan(wrong, gone, policy('right', { shares: 7 }));
    assert.deepEqual(defaults, { policies: ['right'], policy: { shares: 7 } });
    assert.deepEqual(
      leftOut.map(({ policy: { metadata }, why }) => `${metadata.name}: ${why}`),
      ['wrong: spec.policy.ports[0]: a range of ports must not end before it begins'],
    );
  });

  it('that are too much together are left out, the weakest first', () => {
    const names = (prefix: string) => Array.from({ length: 600 }, (_, i) => ({ name: `${prefix}${i}` }));
    const strong = policy('z', { namespaces: names('a') }, { priority: 1 });
    const { defaults, leftOut } = plan(policy('b', { namespaces: names('b') }), strong);
    assert.deepEqual(defaults!.policies, ['z']);
    assert.match(leftOut[0]!.why, /together with stronger policies, spec.namespaces/);
    const many = Array.from({ length: 65 }, (_, i) => policy(`p${i}`, {}));
    assert.equal(plan(...many).defaults!.policies.length, 64);
    assert.match(plan(...many).leftOut[0]!.why, /64 policies/);
  });

  it('are put together once for all nodes that have the same, until one is edited', () => {
    const combinations = new Combinations();
    const all = [policy('a', { shares: 1 }), policy('b', { shares: 2 }, { nodeSelector: { room: 'lab' } })];
    const on = (labels: Record<string, string>) => combinations.of(policiesOn(all, labels));
    assert.equal(on(LABELS), on({ room: 'lab', rack: 'b' }));
    assert.deepEqual(on({ room: 'hall' }).defaults, { policies: ['a'], policy: { shares: 1 } });
    all[0] = policy('a', { shares: 3 });
    all[0].metadata.generation = 2;
    assert.deepEqual(on({ room: 'hall' }).defaults, { policies: ['a'], policy: { shares: 3 } });
  });

  it('come out the same in whatever order they came', () => {
    const some = record({
      shares: integer({ min: 0, max: 9 }),
      priority: integer({ min: 0, max: 2 }),
      room: constantFrom('lab', 'hall'),
    });
    const lists = array(some, { maxLength: 8 }).chain((all) => {
      const made = all.map(({ shares, priority, room }, i) =>
        policy(`p${i}`, { shares }, { priority, nodeSelector: { room } }),
      );
      return shuffledSubarray(made, { minLength: made.length }).map((shuffled) => ({ made, shuffled }));
    });
    check(property(lists, ({ made, shuffled }) => assert.deepEqual(plan(...shuffled), plan(...made))));
  });
});
