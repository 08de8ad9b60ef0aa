/** The server of the benchmark: a cached builtin, and a stream with wide rows from a sliver's HTTP server. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createWorld, saying, sensorOf, sliverOf } from '../../node-daemonset/sensors/world.ts';

const EVERY_MS = 10;
/** So that a reader that does not read is soon behind. */
const PADDING = 'x'.repeat(1_000);

const ticks = createServer((_, response) => {
  response.write('time,padding\n');
  const timer = setInterval(() => response.write(`${Date.now()},${PADDING}\n`), EVERY_MS);
  response.once('close', () => clearInterval(timer));
});
await new Promise<void>((resolve) => ticks.listen(0, '127.0.0.1', resolve));
const { port } = ticks.address() as AddressInfo;
const world = await createWorld([saying('value', () => [{ value: 1 }], { cacheMs: 1_000 })]);
const columns = [
  { name: 'time', type: 'integer' as const },
  { name: 'padding', type: 'string' as const },
];
const sensor = sensorOf('ticks', { slice: 'probe', http: { port }, type: 'Streaming', columns });
await world.serve([sensor], [sliverOf('probe', { ports: [{ protocol: 'TCP', port }] })]);
process.send!(world.server.port);
process.once('disconnect', () => process.exit(0));
