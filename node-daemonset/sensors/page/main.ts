/** The node's public sensors for others than this machine: a process of its own, without rights. It listens where the node's owner says. */
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { createLog } from '../../../kube/log.ts';
import type { Listening } from '../../../kube/listen.ts';
import { serveProxy } from './proxy.ts';

const { SENSOR_SOCKET: socketPath = '/run/slice-operator/sensor-page/query.sock', LOG_LEVEL: level = 'info' } =
  process.env;
/** How soon a change of the owner's mind is heard. */
const ASK_MS = 5_000;

const log = createLog('sensor-page', level);
let listening: { where: string; proxy: Listening } | undefined;
let silent = '';

/** What the owner wants published, as the node manager says it. */
async function settings(): Promise<unknown> {
  const signal = AbortSignal.timeout(ASK_MS);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ socketPath, path: '/published', agent: false, signal }, resolve).once('error', reject).end();
  return JSON.parse(await text(await promise));
}

/** While the node manager does not answer, it stays where it is. */
async function follow(): Promise<void> {
  const { listen } = (await settings()) as { listen: { address: string; port: number } | null };
  const where = listen === null ? '' : `${listen.address} ${listen.port}`;
  if ((listening?.where ?? '') === where) return;
  await listening?.proxy.close();
  listening = undefined;
  if (!listen) {
    log.info('nothing is published');
    return;
  }
  listening = { where, proxy: await serveProxy({ socketPath, ...listen }) };
  log.info(listen, 'the sensors are published');
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
for (;;) {
  await follow().then(
    () => (silent = ''),
    (error: Error) => {
      if (silent !== error.message) log.warn({ err: error }, 'the sensors could not be published as they should be');
      silent = error.message;
    },
  );
  await pause(ASK_MS);
}
