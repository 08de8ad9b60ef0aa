/** What each slice sent by the hour: every byte of it, whatever the record's tables have room for, and over restarts. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type { FlowLog } from '../../../node-daemonset/audit/flowlog.ts';
import { SliceSums } from '../../../node-daemonset/audit/sums.ts';
import { makeFlow, makeIdentity, RecordedNode, START } from './flows.ts';

const HOUR = 3_600_000;

describe('what slices sent by the hour', () => {
  let node: RecordedNode;
  beforeEach(() => void (node = new RecordedNode()));
  afterEach(() => rmSync(node.directory, { recursive: true }));

  const told = (log: FlowLog) => log.sums()!.sums.map(({ since, slice, bytes }) => [Date.parse(since), slice, bytes]);

  it('is all of it, by hour, also of many flows, and nothing that is no slice’s', async () => {
    node.identities.set(2, makeIdentity('web'));
    const log = node.open();
    await log.start();
    for (let i = 0; i < 5_000; i++) node.sends({ sliver: 2, destinationPort: i, bytes: 1 });
    node.sends({ bytes: 7 });
    node.sends({ sliver: 0, bytes: 99 });
    await log.drain();
    node.now += HOUR;
    node.sends({ bytes: 5 });
    await log.stop();
    assert.deepEqual(told(log), [
      [START, 'web', 5_000],
      [START, 'probe', 7],
      [START + HOUR, 'probe', 5],
    ]);
    node.now += HOUR;
    node.sends({ bytes: 6 });
    await log.drain();
    assert.deepEqual(told(log), [
      [START + HOUR, 'probe', 5],
      [START + 2 * HOUR, 'probe', 6],
    ]);
    await log.stop();
  });

  it('is the same after a restart, and nothing before all of it is read', async () => {
    const first = node.open();
    await first.start();
    for (let i = 0; i < 4; i++) {
      node.sends({ bytes: 100 });
      await first.drain();
      node.now += HOUR / 6;
    }
    await first.stop();
    const next = node.open();
    const starting = next.start();
    assert.equal(next.sums(), undefined);
    await starting;
    assert.deepEqual(told(next), [[START, 'probe', 400]]);
    await next.stop();
  });

  it('says where it has no room for all slices', () => {
    const sums = new SliceSums();
    for (let i = 0; i < 6_000; i++) sums.add(makeFlow({ bytes: 1 }), makeIdentity(`s${i}`), START);
    const { sums: rows, truncated } = sums.read();
    assert.deepEqual([rows.length, truncated], [5_000, 'Rows']);
  });
});
