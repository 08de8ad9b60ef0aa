/**
 * The page of a node, as a process of its own, without rights: it knows what the node manager tells it over a Unix socket,
 * and listens where the node's owner wants it, or not at all.
 */
import { createLog } from '../../../kube/log.ts';
import { withRecent } from './recent.ts';
import type { Listening } from '../../../kube/listen.ts';
import { servePage } from './server.ts';
import { openSource } from './source.ts';

const { AUDIT_SOCKET: socketPath = '/run/slice-operator/audit/query.sock', LOG_LEVEL: level = 'info' } = process.env;

/** How soon a change of the owner's mind is heard. */
const ASK_MS = 5_000;

const log = createLog('audit-page', level);
const source = openSource(socketPath);
const served = withRecent(source, Date.now);
let listening: { where: string; server: Listening } | undefined;
let silent = '';

/** Listens where the owner wants it now. While the node manager does not answer, the page stays where it is. */
async function follow(): Promise<void> {
  const { listen } = await source.settings();
  const where = listen === undefined ? '' : `${listen.address} ${listen.port}`;
  if ((listening?.where ?? '') === where) return;
  await listening?.server.close();
  listening = undefined;
  if (!listen) {
    log.info('nothing is published');
    return;
  }
  listening = { where, server: await servePage({ source: served, ...listen, now: Date.now }) };
  log.info(listen, 'the page is published');
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
for (;;) {
  await follow().then(
    () => (silent = ''),
    (error: Error) => {
      if (silent !== error.message) log.warn({ err: error }, 'the page could not be brought where it belongs');
      silent = error.message;
    },
  );
  await new Promise((resolve) => setTimeout(resolve, ASK_MS));
}
