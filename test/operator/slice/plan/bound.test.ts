import assert from 'node:assert/strict';
import { getCondition } from '../../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../../crds/types.ts';
import type { Pod } from '../../../../operator/kinds.ts';
import type { Effect, SliceInput } from '../../../../operator/slice/plan/input.ts';
import { anInput, aNode, aPod, aRight, aSlice, at, condition, denied, granted, NOW, planWhole } from '../objects.ts';

const brief = (effect: Effect): string => {
  const { kind, metadata, name } = { metadata: { name: '' }, name: '', ...of(effect) };
  return `${effect.kind} ${kind} ${name || metadata.name}${effect.kind === 'remove' ? ` ${effect.why}` : ''}`;
};
const of = (effect: Effect) => (effect.kind === 'create' ? effect.object : effect.ref);

describe('rights that others hold for a slice', () => {
  const nodes = [aNode('n1'), aNode('n2')];

  /** Granted, bound to the slice, and nobody's. */
  function gift(slice: Slice, node: string, name = 'gift', spec: Partial<ResourceCapability['spec']> = {}) {
    const right = granted(aRight(slice, node, spec));
    const { ownerReferences: _, ...metadata } = { ...right.metadata, name, uid: `uid-of-${name}` };
    const grant = { ...right.status!.granted!, sliceName: slice.metadata.name };
    return { ...right, metadata, status: { ...right.status, granted: grant } } as ResourceCapability;
  }
  const podsOf = (slice: Slice, ...rights: ResourceCapability[]): Map<string, Pod> =>
    new Map(rights.map((right) => [right.metadata.name, aPod(slice, right)]));
  const plan = (slice: Slice, more: Partial<SliceInput>, on = nodes) => {
    const made = planWhole(anInput(slice, on, more), NOW);
    return { ...made, brief: made.steps.flat().map(brief).toSorted() };
  };
  const own = (slice: Slice, node: string) => aRight(slice, node).metadata.name;

  it('give it its pod there, owned by the right, and nothing is acquired beside', () => {
    const slice = aSlice();
    const bound = [gift(slice, 'n1')];
    const made = plan(slice, { bound });
    assert.deepEqual(made.brief, ['create Pod gift', `create ResourceCapability ${own(slice, 'n2')}`]);
    const pod = made.steps
      .flat()
      .map(of)
      .find(({ kind }) => kind === 'Pod') as Pod;
    assert.equal(pod.metadata.ownerReferences![0]!.uid, 'uid-of-gift');
    const { nodes: counted } = plan(slice, { bound, pods: podsOf(slice, ...bound) }, [aNode('n1')]).status([], NOW);
    assert.deepEqual(counted, { wanted: 1, granted: 1, denied: 0, running: 1, upToDate: 1 });
  });

  it('take the place of its own, and count among those that it asks for', () => {
    const slice = aSlice({ placement: { count: 1 } });
    const bound = [gift(slice, 'n1')];
    const mine = granted(aRight(slice, 'n2'));
    const state = { bound, capabilities: [mine], pods: podsOf(slice, bound[0]!, mine) };
    assert.deepEqual(plan(slice, state).brief, [`remove ResourceCapability ${mine.metadata.name} Surplus`]);
    const everywhere = aSlice();
    const same = granted(aRight(everywhere, 'n1'));
    const both = { bound, capabilities: [same], pods: podsOf(everywhere, bound[0]!, same) };
    assert.deepEqual(plan(everywhere, both, [aNode('n1')]).brief, [
      `remove ResourceCapability ${same.metadata.name} Surplus`,
    ]);
  });

  it('take nothing from a slice that named no broker: neither what is more than they are, nor what lasts longer', () => {
    const resources = { cpu: { shares: 200 }, memory: '1Gi' };
    const slice = aSlice({ resources });
    const mine = granted(aRight(slice, 'n1', { resources }));
    const state = (spec: object) => ({
      bound: [gift(slice, 'n1', 'gift', { resources, ...spec })],
      capabilities: [mine],
      pods: podsOf(slice, mine),
    });
    const gives: [object, boolean][] = [
      [{}, true],
      [{ resources: { ...resources, cpu: { shares: 199 } } }, false],
      [{ resources: { ...resources, memory: '1Mi' } }, false],
      [{ window: { end: at(60) } }, false],
    ];
    const surplus = `remove ResourceCapability ${mine.metadata.name} Surplus`;
    for (const [spec, isUsed] of gives) {
      assert.equal(plan(slice, state(spec), [aNode('n1')]).brief.includes(surplus), isUsed, JSON.stringify(spec));
    }
    const brokered = aSlice({ resources, broker: 'queue' });
    const poor = plan(brokered, state({ resources: {} }), [aNode('n1')]).brief;
    assert.ok(poor.includes('create Pod gift'), 'what it names a broker for it takes');
  });

  it('are one a node', () => {
    const slice = aSlice();
    const bound = [gift(slice, 'n1', 'second'), gift(slice, 'n1', 'first')];
    assert.deepEqual(plan(slice, { bound }, [aNode('n1')]).brief, ['create Pod first']);
  });

  it('are of no use before the node says that they are bound, after they passed on, and outside their window', () => {
    const slice = aSlice();
    const right = gift(slice, 'n1');
    const { sliceName: _, ...unbound } = right.status!.granted!;
    const passed = { ...denied(right, 0, 0, 'Transferred'), metadata: right.metadata };
    const later = gift(slice, 'n1', 'gift', { window: { start: at(5000) } });
    const others: ResourceCapability[] = [
      { ...right, status: { ...right.status!, granted: unbound } },
      { ...right, status: { ...right.status!, granted: { ...right.status!.granted!, sliceName: 'other' } } },
      { ...right, status: { ...right.status!, granted: { ...right.status!.granted!, givenAway: true } } },
      passed,
      later,
    ];
    const asks = `create ResourceCapability ${own(slice, 'n1')}`;
    for (const one of others) {
      assert.deepEqual(plan(slice, { bound: [one] }, [aNode('n1')]).brief, [asks]);
      const ended = plan(slice, { bound: [one], pods: podsOf(slice, right) }, [aNode('n1')]);
      assert.deepEqual(ended.brief, [asks, 'remove Pod gift Unused']);
    }
    assert.equal(plan(slice, { bound: [later] }, [aNode('n1')]).wakeAt, Date.parse(at(5000)));
  });

  it('of the node’s network are of no use to a slice that did not ask for it, or may not', () => {
    const slice = aSlice();
    const bound = [gift(slice, 'n1', 'gift', { resources: { network: 'Host' } })];
    assert.ok(!plan(slice, { bound }, [aNode('n1')]).brief.includes('create Pod gift'));
    const host = aSlice({ sliver: { image: 'x', network: 'Host' } });
    const state = { bound, pods: podsOf(host, ...bound) };
    assert.deepEqual(plan(host, state, [aNode('n1')]).brief, ['remove Pod gift HostNetworkNotAllowed']);
  });

  it('keep their pods while a node that is back has yet to grant anew, unless the slice is suspended', () => {
    const slice = aSlice();
    const right = gift(slice, 'n1');
    const former = { ...right, status: { ...right.status!, granted: { ...right.status!.granted!, nodeUID: 'old' } } };
    const state = { bound: [former], pods: podsOf(slice, right) };
    assert.ok(!plan(slice, state, [aNode('n1')]).brief.some((one) => one.startsWith('remove')));
    const ended = plan(aSlice({ suspended: true }), state, [aNode('n1')]).brief;
    assert.ok(ended.includes('remove Pod gift Unused'));
  });

  it('are not its to release: only the pods go with the slice, which waits for them, and with its window', () => {
    const slice = aSlice();
    const bound = [gift(slice, 'n1')];
    const deleting = { ...slice, metadata: { ...slice.metadata, deletionTimestamp: at(0) } };
    const state = { bound, pods: podsOf(slice, ...bound) };
    const first = plan(deleting, state);
    assert.deepEqual([first.brief, first.finalizer], [['remove Pod gift Deleting'], 'keep']);
    assert.equal(plan(deleting, { bound }).finalizer, 'remove');
    const past = aSlice({ window: { end: at(-1) } });
    assert.deepEqual(plan(past, state).brief, ['remove Pod gift WindowClosed']);
  });

  describe('of which one is suspended', () => {
    const on = [aNode('n1')];
    const by = { right: 'ours/whole', reason: 'probes our customers' };
    const suspend = (right: ResourceCapability): ResourceCapability => ({
      ...right,
      status: { ...right.status!, suspendedBy: [by] },
    });
    const slice = aSlice();
    const right = suspend(gift(slice, 'n1'));
    const split = { ...right, status: { ...right.status!, granted: { ...right.status!.granted!, givenAway: true } } };
    const later = suspend(gift(slice, 'n1', 'gift', { window: { start: at(5000) } }));
    const ofHost = suspend(gift(slice, 'n1', 'gift', { resources: { network: 'Host' } }));
    const told = (state: Partial<SliceInput>) => {
      const { conditions, suspendedBy, nodes: counted } = plan(slice, state, on).status([], NOW);
      const { reason, message } = getCondition(conditions, 'Ready')!;
      return { reason, message, suspendedBy, wanted: counted!.wanted };
    };
    const named = {
      reason: 'Suspended',
      message: '0 of 1 running; n1: suspended by the holder of right ours/whole on n1: probes our customers',
      suspendedBy: [{ node: 'n1', ...by }],
      wanted: 1,
    };

    it('nothing is acquired in its place, whatever its author makes of it, and the status names who suspends it', () => {
      for (const one of [right, split, later, ofHost]) {
        assert.deepEqual(plan(slice, { bound: [one] }, on).brief, []);
        assert.deepEqual(plan(slice, { bound: [one], pods: podsOf(slice, one) }, on).brief, [
          'remove Pod gift Suspended',
        ]);
        assert.deepEqual(told({ bound: [one] }), named);
      }
    });

    it('no other right has a pod there, and one that the slice was granted is kept where it is the better', () => {
      const mine = granted(aRight(slice, 'n1'));
      const last = suspend(gift(slice, 'n1', 'gift', { window: { end: at(60) } }));
      for (const one of [split, later, last]) {
        assert.deepEqual(plan(slice, { bound: [one], capabilities: [mine], pods: podsOf(slice, mine) }, on).brief, [
          `remove Pod ${mine.metadata.name} Suspended`,
        ]);
        assert.deepEqual(told({ bound: [one], capabilities: [mine] }), named);
      }
      const asked = aRight(slice, 'n1');
      const surplus = `remove ResourceCapability ${asked.metadata.name} Surplus`;
      assert.deepEqual(plan(slice, { bound: [later], capabilities: [asked] }, on).brief, [surplus]);
      const free = gift(slice, 'n1', 'first');
      assert.deepEqual(plan(slice, { bound: [free, later], pods: podsOf(slice, free) }, on).brief, [
        'remove Pod first Unused',
      ]);
    });

    it('but is over, another slice’s, refused or going, all is as without it', () => {
      const other = { ...right.status!.granted!, sliceName: 'other' };
      const others = [
        suspend(gift(slice, 'n1', 'gift', { window: { end: at(0) } })),
        { ...right, status: { ...right.status!, granted: other } },
        suspend({ ...denied(right), metadata: right.metadata }),
        { ...right, metadata: { ...right.metadata, deletionTimestamp: at(0) } },
      ];
      for (const one of others) {
        const made = plan(slice, { bound: [one] }, on);
        assert.deepEqual(made.brief, [`create ResourceCapability ${own(slice, 'n1')}`]);
        assert.equal(made.status([], NOW).suspendedBy, undefined);
      }
    });
  });

  describe('of which none is open', () => {
    const slice = aSlice({ broker: 'ours' });
    const told = (bound: ResourceCapability[], on = [aNode('n1')], more: Partial<SliceInput> = {}) => {
      const { conditions } = plan(slice, { bound, ...more }, on).status([], NOW);
      const [ready, allocated] = ['Ready', 'Allocated'].map((type) => getCondition(conditions, type)!);
      assert.deepEqual([allocated!.reason, allocated!.message], [ready!.reason, ready!.message]);
      return `${ready!.reason}: ${ready!.message}`;
    };
    const window = (start: number, end = start + 1000) => ({ window: { start: at(start), end: at(end) } });
    const later = gift(slice, 'n1', 'later', window(5000));
    const over = gift(slice, 'n1', 'over', window(-2000));
    const expired = { ...denied(over, 0, 0, 'Expired'), metadata: { ...over.metadata, name: 'expired' } };
    const waits = 'waits for the broker in namespace ours';

    it('say when the next opens, by name and node, or that the last is over', () => {
      const opens = `WindowNotOpen: 0 of 1 granted; rcap later on n1: the window opens at ${at(5000)}`;
      assert.equal(told([later]), opens);
      assert.equal(told([gift(slice, 'n1', 'last', window(9000)), later, over, expired]), opens);
      const ended = `WindowClosed: 0 of 1 granted; rcap over on n1: the window ended at ${at(-1000)}`;
      assert.equal(told([gift(slice, 'n1', 'former', window(-9000)), over]), ended);
      assert.equal(told([expired]), 'WindowClosed: 0 of 1 granted; rcap expired on n1: Expired it is');
    });

    it('say where what is split from them leaves too little, beside those that open later', () => {
      const whole = gift(slice, 'n1', 'whole');
      const spent = { ...whole, status: { ...whole.status!, granted: { ...whole.status!.granted!, givenAway: true } } };
      const none = 'rcap whole on n1: what is split from it leaves too little for a sliver';
      assert.equal(told([spent]), `GivenAway: 0 of 1 granted; ${none}`);
      assert.equal(told([over, spent]), `GivenAway: 0 of 1 granted; ${none}`);
      const there = gift(slice, 'n2', 'there', window(7000));
      assert.equal(
        told([spent, there], [aNode('n1'), aNode('n2')]),
        `WindowNotOpen: 0 of 2 granted; rcap there on n2: the window opens at ${at(7000)}; ${none}`,
      );
    });

    it('say what waits elsewhere for the broker, and nothing where the slice has a right that is open', () => {
      const both = [aNode('n1'), aNode('n2')];
      const rest = `elsewhere: ${waits}`;
      assert.equal(
        told([later], both),
        `WindowNotOpen: 0 of 2 granted; rcap later on n1: the window opens at ${at(5000)}; ${rest}`,
      );
      const open = gift(slice, 'n1', 'open');
      assert.equal(told([open, later], both), `WaitingForBroker: 1 of 2 granted; ${waits}`);
      const there = gift(slice, 'n2', 'there', window(7000));
      assert.equal(
        told([open, there], both),
        `WindowNotOpen: 1 of 2 granted; rcap there on n2: the window opens at ${at(7000)}`,
      );
      const without = plan(aSlice(), { bound: [gift(aSlice(), 'n1', 'x', window(5))], brokering: false }, [
        aNode('n1'),
      ]);
      assert.equal(getCondition(without.status([], NOW).conditions, 'Ready')!.reason, 'WindowNotOpen');
    });

    it('say nothing of rights that are another slice’s, refused, not answered, going, or of a Node that is gone', () => {
      const granted = { ...later.status!.granted!, sliceName: 'other' };
      const { status: _, ...asked } = later;
      const others = [
        { ...later, status: { ...later.status!, granted } },
        denied(later),
        asked,
        { ...later, metadata: { ...later.metadata, deletionTimestamp: at(0) } },
        gift(slice, 'n9', 'gone', window(5000)),
      ];
      for (const one of others) assert.equal(told([one]), `WaitingForBroker: 0 of 1 granted; ${waits}`);
    });
  });

  it('that do not run are told like its own', () => {
    const slice = aSlice();
    const right = gift(slice, 'n1');
    const conditions = [condition('Granted', 'True', 'Granted'), condition('Ready', 'False', 'NoAddress')];
    const bound = [{ ...right, status: { ...right.status!, conditions } }];
    const status = plan(slice, { bound, pods: podsOf(slice, right) }, [aNode('n1')]).status([], NOW);
    assert.equal(status.nodes!.running, 0);
  });
});
