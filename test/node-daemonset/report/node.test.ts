import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import { planNodeStatus } from '../../../node-daemonset/report/node.ts';
import { granted, right, shares } from '../rights.ts';
import { NODE_FACTS } from './facts.ts';

describe('what a node says of what it can’t keep', () => {
  it('has the units of what people write', () => {
    const ledger = granted(right('a', { ...shares(60), egress: { guarantee: '12100k' }, memory: '2Gi' }));
    const offered = { shares: 50, egress: 1e6, memory: 2 ** 30, disk: 0, pods: 9 };
    const { conditions } = planNodeStatus({ ...NODE_FACTS, ledger, offered });
    assert.match(
      getCondition(conditions, 'WithinOffer')!.message,
      /\(shares 60 of 50, egress 12.1 Mbit\/s of 1 Mbit\/s, memory 2 GiB of 1 GiB\)/,
    );
  });
});

describe('what a node says of its owner’s orders', () => {
  const ordersOf = (orders: (typeof NODE_FACTS)['orders']) => planNodeStatus({ ...NODE_FACTS, orders }).orders;
  const since = '2026-10-01T00:00:00Z';

  it('is each with its reason and its beginning', () => {
    assert.deepEqual(
      ordersOf({
        cap: { egressLimit: 5e6, since, reason: 'loud' },
        suspended: [{ namespace: 'a', slice: 'web', since, reason: 'mines' }],
      }),
      {
        cap: { egressLimit: '5M', since, reason: 'loud' },
        suspended: [{ namespace: 'a', slice: 'web', since, reason: 'mines' }],
      },
    );
  });

  it('has no empty text in it, which a server may refuse with the whole status', () => {
    assert.deepEqual(
      ordersOf({
        cap: { egressLimit: 5e6, since, reason: '' },
        suspended: [{ namespace: 'a', slice: undefined, since: '', reason: '' }],
      }),
      { cap: { egressLimit: '5M', since }, suspended: [{ namespace: 'a' }] },
    );
    assert.equal(ordersOf({ cap: undefined, suspended: [] }), undefined);
  });
});
