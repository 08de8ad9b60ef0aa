import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { type FlowLog, PERIOD_MS } from '../../../node-daemonset/audit/flowlog.ts';
import type { OwnedFlow } from '../../../node-daemonset/audit/period.ts';
import { makeIdentity, RecordedNode, START } from './flows.ts';

let node: RecordedNode;
beforeEach(() => void (node = new RecordedNode()));
afterEach(() => rmSync(node.directory, { recursive: true }));

async function readAll(log: FlowLog): Promise<OwnedFlow[]> {
  const all: OwnedFlow[] = [];
  for (const segment of await log.segments(0, Infinity, () => undefined)) {
    for await (const batch of segment.read()) all.push(...batch);
  }
  return all;
}

async function started(): Promise<FlowLog> {
  const log = node.open();
  await log.start();
  return log;
}

const bytesOf = (flows: OwnedFlow[]): number => flows.reduce((sum, { flow }) => sum + flow.bytes, 0);
const files = (): string[] => readdirSync(node.directory).toSorted();

describe('the record of flows', () => {
  it('has what was drained, with who sent it and when', async () => {
    const log = await started();
    node.sends({ bytes: 100 });
    node.now += 1000;
    node.sends({ bytes: 50, tcpFlags: 0x10 });
    await log.stop();
    const [{ flow, owner }] = (await readAll(log)) as [OwnedFlow];
    assert.deepEqual(owner, makeIdentity('probe'));
    assert.deepEqual([flow.bytes, flow.packets, flow.tcpFlags], [150, 2, 0x12]);
    assert.deepEqual(
      [flow.first, flow.last],
      [START, START + 1000].map((time) => time + (flow.first - START)),
    );
  });

  it('is the same after the process was killed, for as long as there is a disk', async () => {
    let log = await started();
    let sent = 0;
    for (let i = 0; i < 20; i++) {
      node.sends({ bytes: 1000 + i, destination: `192.0.2.${i % 3}` });
      sent += 1000 + i;
      await log.drain();
      node.now += 90_000;
      if (i % 4 === 0) log = await restarted(log);
    }
    assert.equal(bytesOf(await readAll(log)), sent);
    log = await restarted(log);
    const all = await readAll(log);
    assert.equal(bytesOf(all), sent);
    assert.ok(all.every(({ owner }) => owner?.contact === 'probe@example.org'));
    await log.stop();
  });

  /** As after SIGKILL: nothing more is written, and another one begins with the files as they are. */
  async function restarted(before: FlowLog): Promise<FlowLog> {
    await before.stop();
    return started();
  }

  it('is one file a period, closed at its end, that zcat reads', async () => {
    const log = await started();
    for (let i = 0; i < 3; i++) {
      node.sends();
      await log.drain();
    }
    assert.match(files().join(), /^20261123T120000Z-0\.open\.gz$/);
    node.now += PERIOD_MS;
    node.sends();
    await log.drain();
    await log.stop();
    assert.deepEqual(files(), ['20261123T120000Z-0.flows.gz', '20261123T121000Z-0.open.gz']);
    const text = gunzipSync(readFileSync(join(node.directory, files()[0]!))).toString();
    const [header, identity, flow, ...rest] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    assert.deepEqual((header as { node: string }).node, 'node1');
    assert.deepEqual(identity, { sliver: 1, ...makeIdentity('probe') });
    assert.deepEqual([(flow as unknown[])[9], rest], [3, []], 'the three drains became one row');
  });

  it('is read as far as it goes wherever a crash cut its open file, and goes on from there', async () => {
    const log = await started();
    const ends: number[] = [];
    for (let i = 0; i < 4; i++) {
      node.sends({ bytes: 1, destination: `192.0.2.${i}` });
      await log.drain();
      ends.push(statSync(join(node.directory, files()[0]!)).size);
    }
    await log.stop();
    const [name] = files() as [string];
    const whole = readFileSync(join(node.directory, name));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.boolean(), async (length, garbage) => {
        for (const one of files()) rmSync(join(node.directory, one));
        writeFileSync(join(node.directory, name), whole);
        truncateSync(join(node.directory, name), length);
        if (garbage) writeFileSync(join(node.directory, name), Buffer.alloc(30, 0x1f), { flag: 'a' });
        const again = await started();
        const complete = ends.filter((end) => end <= length).length;
        assert.ok(bytesOf(await readAll(again)) >= complete, `${complete} members were whole`);
        const before = bytesOf(await readAll(again));
        node.sends({ bytes: 1000, destination: '192.0.2.200' });
        await again.stop();
        const last = await started();
        assert.equal(bytesOf(await readAll(last)), before + 1000);
        await last.stop();
      }),
      { numRuns: 40 },
    );
  });

  it('takes nothing twice when a crash came between the sums and what they were made from', async () => {
    const log = await started();
    node.sends({ bytes: 7 });
    await log.stop();
    const open = readFileSync(join(node.directory, '20261123T120000Z-0.open.gz'));
    writeFileSync(join(node.directory, '20261123T120000Z-0.flows.gz'), open);
    writeFileSync(join(node.directory, '20261123T120000Z-0.flows.gz.new'), 'half');
    const again = await started();
    assert.equal(bytesOf(await readAll(again)), 7);
    await again.stop();
    assert.deepEqual(files(), ['20261123T120000Z-0.flows.gz']);
  });

  it('deletes the oldest first, by size and by age, and says since when there is one', async () => {
    const log = await started();
    const send = async (periods: number): Promise<void> => {
      for (let i = 0; i < periods; i++) {
        node.sends({ destination: `192.0.2.${i}` });
        await log.drain();
        node.now += PERIOD_MS;
      }
    };
    await send(10);
    assert.equal(files().length, 10);
    const one = statSync(join(node.directory, files()[0]!)).size;
    node.retention = { bytes: one * 4.5, ageMs: 1e12 };
    await send(2);
    assert.ok(files().length <= 6, files().join());
    assert.ok(files().at(-1)!.startsWith('20261123T1350'), 'the newest is there');
    node.retention = { bytes: 1e9, ageMs: 2 * PERIOD_MS };
    await send(2);
    assert.ok(files().length <= 4, files().join());
    assert.equal(log.since, START + 11 * PERIOD_MS);
    await log.stop();
  });

  it('still knows a sliver that is gone, and what its contact was', async () => {
    const log = await started();
    node.sends({ bytes: 1 });
    await log.drain();
    node.identities.clear();
    node.sends({ bytes: 2 });
    await log.drain();
    node.now += 3 * PERIOD_MS;
    await log.stop();
    const again = await started();
    assert.deepEqual([...new Set((await readAll(again)).map(({ owner }) => owner?.contact))], ['probe@example.org']);
    await again.stop();
  });

  it('remembers the contact of a right that is gone before its pod, and writes it once', async () => {
    const log = await started();
    node.sends();
    await log.drain();
    node.identities.set(1, makeIdentity('probe', { contact: '' }));
    for (let i = 0; i < 3; i++) {
      node.sends();
      await log.drain();
    }
    await log.stop();
    assert.deepEqual([...new Set((await readAll(log)).map(({ owner }) => owner?.contact))], ['probe@example.org']);
    const text = gunzipSync(readFileSync(join(node.directory, files()[0]!))).toString();
    assert.equal(text.match(/"contact"/g)?.length, 1);
  });

  it('says nothing of whom the node itself talks to', async () => {
    const log = await started();
    node.sends({ sliver: 0, destination: '203.0.113.7', bytes: 5 });
    node.sends({ sliver: 0, destination: '203.0.113.8', bytes: 6 });
    await log.stop();
    const all = await readAll(log);
    assert.deepEqual(
      all.map(({ flow }) => [flow.sliver, flow.destination, flow.bytes]),
      [[0, '', 11]],
    );
    const text = gunzipSync(readFileSync(join(node.directory, files()[0]!))).toString();
    assert.doesNotMatch(text, /203\.0\.113/);
  });

  it('tells that the disk refuses, and writes all of it when it takes it again', async () => {
    const log = await started();
    rmSync(node.directory, { recursive: true });
    node.sends({ bytes: 3 });
    await log.drain();
    assert.equal(log.problems()[0]?.reason, 'AuditNotSaved');
    assert.match(log.notes().join(), /1 records could not be written/);
    await node.archive.prepare();
    node.sends({ bytes: 4, destination: '192.0.2.2' });
    await log.stop();
    assert.deepEqual([log.problems(), log.notes()], [[], []]);
    const again = await started();
    assert.equal(bytesOf(await readAll(again)), 7);
    await again.stop();
  });

  it('keeps what two periods of the same time hold, after a clock was set back', async () => {
    const log = await started();
    node.sends({ bytes: 1 });
    await log.drain();
    node.now += PERIOD_MS;
    node.sends({ bytes: 2 });
    await log.drain();
    node.now -= PERIOD_MS;
    node.sends({ bytes: 4 });
    await log.stop();
    const again = await started();
    assert.equal(bytesOf(await readAll(again)), 7);
    await again.stop();
  });
});
