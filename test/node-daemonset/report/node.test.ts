import assert from 'node:assert/strict';
import { planNodeStatus } from '../../../node-daemonset/report/node.ts';
import { NODE_FACTS } from './facts.ts';

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
