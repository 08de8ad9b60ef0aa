/** Whoever does not read a stream is hung up on, and holds up nobody. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { Broadcast } from '../../../node-daemonset/sensors/broadcast.ts';
import { SensorRegistry } from '../../../node-daemonset/sensors/readings.ts';
import type { Listening } from '../../../kube/listen.ts';
import { serveSensors } from '../../../node-daemonset/sensors/server.ts';
import type { Source } from '../../../node-daemonset/sensors/source.ts';
import { eventually } from '../../kube/eventually.ts';
import { saying } from './world.ts';
import { builtin } from '../../../node-daemonset/sensors/builtin/builtin.ts';

const ROW = 'x'.repeat(65_536);

describe('a stream', () => {
  let server: Listening;
  let running = 0;
  const stream = new Broadcast({
    run: (row, signal) =>
      new Promise((resolve) => {
        running++;
        const timer = setInterval(() => row([ROW]), 2);
        signal.addEventListener('abort', () => {
          running--;
          clearInterval(timer);
          resolve();
        });
      }),
    onRow: () => undefined,
    onEnd: () => undefined,
    restMs: 0,
  });

  before(async () => {
    const plain = builtin(
      saying('fast', () => []),
      Date.now,
    );
    const source: Source = { ...plain, info: { ...plain.info, type: 'Streaming' }, stream };
    const registry = new SensorRegistry({ sources: () => new Map([['fast', source]]) });
    const parts = { registry, nodeName: 'node1', documents: {}, now: Date.now };
    server = await serveSensors(parts, { port: 0 });
  });
  after(() => server.close());

  it('ends for the reader that does not read, and for nobody else', async () => {
    const open = (): { socket: ReturnType<typeof connect>; state: { bytes: number; ended: boolean } } => {
      const state = { bytes: 0, ended: false };
      const socket = connect(server.port, '127.0.0.1');
      socket.write('GET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n');
      socket.on('error', () => undefined);
      socket.once('close', () => (state.ended = true));
      return { socket, state };
    };
    const [reader, sleeper] = [open(), open()];
    reader.socket.on('data', (chunk) => (reader.state.bytes += chunk.length));
    // more than the kernel holds for anybody
    await eventually('the reader to get much', () => reader.state.bytes > 32 * 2 ** 20);
    sleeper.socket.resume();
    await eventually('the other to find itself hung up on', () => sleeper.state.ended);
    assert.equal(reader.state.ended, false);
    assert.equal(running, 1);
    reader.socket.destroy();
    await eventually('the source to rest', () => running === 0);
  });
});
