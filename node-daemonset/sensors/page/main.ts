/** The node's public sensors for others than this machine: a process of its own, without rights. It listens where the node's owner says. */
import { setTimeout as pause } from 'node:timers/promises';
import { createLog } from '../../../kube/log.ts';
import { SENSOR_PORT } from '../server.ts';
import type { Listening } from '../../../kube/listen.ts';
import { serveProxy } from './proxy.ts';

const { LOG_LEVEL: level = 'info' } = process.env;
const origin = { host: '127.0.0.1', port: SENSOR_PORT };
/** How soon a change of the owner's mind is heard. */
const ASK_MS = 5_000;

const log = createLog('sensor-page', level);
let listening: { where: string; proxy: Listening } | undefined;
let silent = '';

/** While the node manager does not answer, it stays where it is. */
async function follow(): Promise<void> {
  const signal = AbortSignal.timeout(ASK_MS);
  const response = await fetch(`http://${origin.host}:${origin.port}/published`, { signal });
  const { listen } = (await response.json()) as { listen: { address: string; port: number } | null };
  const where = listen === null ? '' : `${listen.address} ${listen.port}`;
  if ((listening?.where ?? '') === where) return;
  await listening?.proxy.close();
  listening = undefined;
  if (!listen) {
    log.info('nothing is published');
    return;
  }
  listening = { where, proxy: await serveProxy({ origin, ...listen }) };
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
