import assert from 'node:assert/strict';
import type { ApiClient } from '../../kube/client.ts';
import { FencedError } from '../../kube/errors.ts';
import { EventRecorder } from '../../kube/events.ts';
import { silentLog } from '../../kube/log.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { eventually, settle } from './eventually.ts';
import { FakeServer } from './fake-server.ts';
import { pod } from './objects.ts';

interface EventObject extends KubeObject {
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  involvedObject: { uid?: string };
}

describe('EventRecorder', () => {
  let server: FakeServer;
  let recorder: EventRecorder;
  let seconds = 0;
  const options = {
    component: 'slice-operator',
    log: silentLog(),
    now: () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)),
  };
  const written = () => server.list('events') as EventObject[];

  beforeEach(async () => {
    server = await new FakeServer().start();
    recorder = new EventRecorder({ ...options, client: await server.client() });
    seconds = 0;
  });
  afterEach(() => server.stop());

  it('counts up what repeats, and keeps apart what differs', async () => {
    recorder.record(pod('p', '1'), 'Warning', 'Failed', 'no room');
    await recorder.flush();
    seconds = 30;
    recorder.record(pod('p', '2'), 'Warning', 'Failed', 'no room');
    recorder.record(pod('p', '2'), 'Warning', 'Failed', 'no disk');
    recorder.record(pod('p', '3', { uid: 'u2' }), 'Warning', 'Failed', 'no room');
    await recorder.flush();
    assert.deepEqual(
      written().map(({ message, count, involvedObject }) => [message, count, involvedObject.uid]),
      [
        ['no room', 2, 'u1'],
        ['no disk', 1, 'u1'],
        ['no room', 1, 'u2'],
      ],
    );
    const [first] = written();
    assert.deepEqual([first!.firstTimestamp, first!.lastTimestamp], ['2026-01-01T00:00:00Z', '2026-01-01T00:00:30Z']);
  });

  it('has a budget for each object', async () => {
    for (let i = 0; i < 60; i++) recorder.record(pod('loud', '1'), 'Normal', 'Spoke', `${i}`);
    recorder.record(pod('quiet', '1', { uid: 'u2' }), 'Normal', 'Spoke', 'once');
    await recorder.flush();
    assert.equal(written().filter((one) => one.involvedObject.uid === 'u1').length, 25);
    assert.equal(written().filter((one) => one.involvedObject.uid === 'u2').length, 1);
    assert.equal(recorder.dropped, 35);
  });

  it('keeps no more than so many waiting, and writes those', async () => {
    const gate = Promise.withResolvers<void>();
    server.fault('PATCH', ({ proceed }) => void gate.promise.then(proceed));
    for (let i = 0; i < 1_100; i++) recorder.record(pod(`p${i}`, '1', { uid: `u${i}` }), 'Normal', 'Spoke', 'hello');
    assert.equal(recorder.dropped, 99, 'one is on its way and a thousand wait');
    gate.resolve();
    await recorder.flush();
    assert.equal(written().length, 1_001);
  });

  it('bounds message and name', async () => {
    recorder.record(pod(`${'n'.repeat(199)}.${'x'.repeat(50)}`, '1'), 'Normal', 'Spoke', 'm'.repeat(5_000));
    await recorder.flush();
    const [event] = written();
    assert.equal(event!.message.length, 1_000);
    assert.match(event!.metadata.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    assert.ok(event!.metadata.name.length <= 253);
  });

  it('loses one that the server refuses, and no other', async () => {
    server.refuse('PATCH', 403, 'Forbidden');
    recorder.record(pod('p', '1'), 'Normal', 'Spoke', 'one');
    recorder.record(pod('p', '1'), 'Normal', 'Spoke', 'two');
    await recorder.flush();
    assert.deepEqual(
      written().map(({ message }) => message),
      ['two'],
    );
  });

  it('writes nothing behind a fence', async () => {
    const fence = () => {
      throw new FencedError('not the leader');
    };
    const fenced = new EventRecorder({ ...options, client: await server.client({ fence }) });
    fenced.record(pod('p', '1'), 'Normal', 'Spoke', 'hello');
    await fenced.flush();
    assert.equal(server.seen.length, 0);
  });

  it('leaves none behind that comes just as the last was written', async () => {
    for (let turns = 0; turns < 12; turns++) {
      let count = 0;
      const client = { apply: () => Promise.resolve(count++) } as unknown as ApiClient;
      const own = new EventRecorder({ ...options, client });
      own.record(pod('p', '1'), 'Normal', 'Spoke', 'one');
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      own.record(pod('p', '1'), 'Normal', 'Spoke', 'two');
      await settle(2);
      assert.equal(count, 2, `after ${turns} turns`);
    }
  });

  it('can be waited for while nothing was recorded', () =>
    eventually('flushed', () => recorder.flush().then(() => true)));
});
