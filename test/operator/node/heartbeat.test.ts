import assert from 'node:assert/strict';
import { Heartbeats } from '../../../operator/node/heartbeat.ts';

const START = Date.parse('2030-01-01T00:00:00Z');

describe('heartbeats', () => {
  let time = 0;
  let skew = 0;
  let heartbeats: Heartbeats;
  const lease = (renewed: number) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'slice-node-n1' },
    spec: { renewTime: new Date(START + renewed + skew).toISOString() },
  });
  const state = () => heartbeats.state('slice-node-n1');
  beforeEach(() => {
    [time, skew] = [0, 0];
    heartbeats = new Heartbeats({ wall: () => START + time, monotonic: () => 5_000 + time });
  });

  it('fall silent 40 s after the last one', () => {
    assert.equal(state(), 'never');
    heartbeats.seen(lease(0));
    time = 40_000;
    assert.equal(state(), 'alive');
    time = 40_001;
    assert.equal(state(), 'silent');
    heartbeats.seen(lease(0));
    assert.equal(state(), 'silent', 'the same heartbeat is no new one');
    heartbeats.seen(lease(40_000));
    assert.equal(state(), 'alive');
    heartbeats.forget('slice-node-n1');
    assert.equal(state(), 'never');
  });

  it('at first sight are as old as they say, so that a dead node is not alive to an operator that starts', () => {
    heartbeats.seen(lease(-60_000));
    assert.equal(state(), 'silent');
  });

  it('of a node whose clock is wrong count when they come', () => {
    for (skew of [-3_600_000, 3_600_000]) {
      heartbeats.seen(lease(time));
      time += 10_000;
      heartbeats.seen(lease(time));
      assert.equal(state(), 'alive');
      time += 40_001;
      assert.equal(state(), 'silent');
      heartbeats.forget('slice-node-n1');
    }
  });
});
