import assert from 'node:assert/strict';
import { planUnclassified, sumCounters } from '../../../node-daemonset/egress/counters.ts';
import type { ClassCounters } from '../../../node-daemonset/egress/tc.ts';
import { makeSliver } from '../desired.ts';

const counted = (packets: number, drops = 0): ClassCounters => ({ bytes: packets * 1514, packets, drops, backlog: 0 });
const sending = (txBytes: number | undefined): ReturnType<typeof makeSliver> => makeSliver('a', {}, { txBytes });

describe('counters of classes', () => {
  it('adds up over uplinks', () => {
    const line = new Map([[0x101, counted(2, 1)]]);
    assert.deepEqual(sumCounters([line, line]).get(0x101), counted(4, 2));
  });

  it('report a pod that sends past its class, until the class moves', () => {
    let baselines: Parameters<typeof planUnclassified>[0] = new Map();
    const pass = (txBytes: number | undefined, counters: ClassCounters): string[] => {
      const probe = planUnclassified(baselines, [sending(txBytes)], new Map([[0x101, counters]]));
      baselines = probe.baselines;
      return probe.problems.map(({ reason }) => reason);
    };
    assert.deepEqual(pass(5e6, counted(0)), [], 'what came before is nobody knows whose');
    assert.deepEqual(pass(5.9e6, counted(0)), []);
    assert.deepEqual(pass(6.1e6, counted(0)), ['EgressUnclassified']);
    assert.deepEqual(pass(6.1e6, counted(0)), ['EgressUnclassified']);
    assert.deepEqual(pass(9e6, counted(0, 5)), [], 'a drop in the class shows that packets reach it');
    assert.deepEqual(pass(1e6, counted(0, 5)), [], 'a new interface counts from 0');
    assert.deepEqual(pass(undefined, counted(0, 5)), []);
  });
});
