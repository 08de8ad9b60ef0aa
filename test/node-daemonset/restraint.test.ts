import assert from 'node:assert/strict';
import type { NodeRestraint } from '../../crds/types.ts';
import { planTree } from '../../node-daemonset/egress/tree.ts';
import { gather } from '../../node-daemonset/gather.ts';
import { EMPTY_STATE, type NodeState } from '../../node-daemonset/checkpoint.ts';
import { NO_ORDERS } from '../../node-daemonset/owner/orders.ts';
import { restrained } from '../../node-daemonset/restraint.ts';
import { PENALTY_MS, planStandings, whyNot } from '../../node-daemonset/standing.ts';
import { makeFacts, makeSliver } from './desired.ts';
import { granted, NOW, pod, right } from './rights.ts';

const SUSPENDED: NodeRestraint = { namespace: 'team', slice: 'measure', suspended: true };
const SLOW: NodeRestraint = { namespace: 'team', slice: 'measure', egressLimit: '1M' };

describe('what others hold a sliver to', () => {
  const rcap = right('r');
  const standings = (restraints: NodeRestraint[], now = NOW, pods = [pod('p', rcap)]) =>
    planStandings(pods, granted(rcap), [], now, undefined, restraints);

  it('goes by namespace and slice, at its strictest', () => {
    assert.deepEqual(
      restrained([SLOW, { ...SLOW, egressLimit: '2M' }, SUSPENDED], { namespace: 'team', slice: 'measure' }),
      {
        suspended: true,
        egressLimit: 1e6,
      },
    );
    for (const [namespace, slice] of [
      ['team', 'other'],
      ['lab', 'measure'],
      ['team', undefined],
    ] as const) {
      assert.deepEqual(restrained([SLOW, SUSPENDED], { namespace, slice }), {
        suspended: false,
        egressLimit: undefined,
      });
    }
  });

  it('is never more than before, also where it makes no sense', () => {
    assert.equal(
      restrained([{ ...SLOW, egressLimit: 'lots' }], { namespace: 'team', slice: 'measure' }).egressLimit,
      1_000,
    );
  });

  it('holds a suspended sliver’s pod down, whoever made it, and freezes it after a while', () => {
    assert.equal(whyNot(granted(rcap).entries[0], [], NOW, [SUSPENDED]), 'Suspended');
    const first = standings([SUSPENDED]);
    assert.equal(first.slivers[0]!.standing, 'penalised');
    assert.equal(standings([SUSPENDED], NOW + PENALTY_MS, first.pods).slivers[0]!.standing, 'frozen');
    assert.equal(standings([], NOW + PENALTY_MS, first.pods).slivers[0]!.standing, 'entitled');
  });

  it('slows a sliver in both of its classes, below its guarantee too, and leaves its neighbour alone', () => {
    assert.equal(standings([SLOW]).slivers[0]!.restraintLimit, 1e6);
    const amounts = { egressGuarantee: 20e6, egressLimit: 100e6 };
    const slow = makeSliver('slow', amounts, { classId: 0x100, restraintLimit: 1e6 });
    const free = makeSliver('free', amounts, { classId: 0x101 });
    const facts = makeFacts({ egressLimit: 100e6, exempt: { destinations: ['192.0.2.0/24'], limit: undefined } });
    const { tree } = planTree({ interface: 'eth0', rate: 200e6 }, [slow, free], facts);
    const classOf = (minor: number) => tree!.classes.find((one) => one.minor === minor)!;
    assert.deepEqual([classOf(0x100).rate, classOf(0x100).ceil], [1e6, 1e6]);
    assert.deepEqual([classOf(0x101).rate, classOf(0x101).ceil], [20e6, 100e6]);
    assert.ok(classOf(0x8100).ceil <= 1e6);
  });

  it('is kept while the API server, or what it says of the node, is not there', () => {
    let state: NodeState = { ...EMPTY_STATE, restraints: [SUSPENDED] };
    const hear = (status: object | undefined): NodeRestraint[] => {
      gather(
        {
          store: { get: () => state, accept: (change: Partial<NodeState>) => void (state = { ...state, ...change }) },
          orders: () => NO_ORDERS,
          policy: { read: () => ({ policy: undefined, problem: undefined }) },
          sliceNode: () => status && { apiVersion: 'v', kind: 'SliceNode', metadata: { name: 'n' }, spec: {}, status },
          otherRequests: () => 0,
          lineRate: () => undefined,
        } as unknown as Parameters<typeof gather>[0],
        true,
        [],
      );
      return state.restraints;
    };
    assert.deepEqual(hear(undefined), [SUSPENDED]);
    assert.deepEqual(hear({}), [SUSPENDED]);
    assert.deepEqual(hear({ node: { uid: 'u', allocatable: {} }, restraints: [SLOW] }), [SLOW]);
    assert.deepEqual(hear({ node: { uid: 'u', allocatable: {} } }), []);
  });
});
