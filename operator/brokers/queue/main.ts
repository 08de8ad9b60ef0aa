/** The queue broker's process: settings from the environment, composition, and an orderly end. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createClient } from '../../../kube/client.ts';
import { Leader } from '../../../kube/leader.ts';
import { createLog } from '../../../kube/log.ts';
import { QueueBroker } from './broker.ts';

const LEASE = 'slice-queue';
/** What is under way when the process is told to end has this long. */
const GRACE_MS = 10_000;

const {
  NAMESPACE: namespace,
  LOG_LEVEL: level = 'info',
  // of windows, in seconds: where a slice does not say, and the most that one may ask for
  WINDOW_SECONDS: usual = '3600',
  MOST_WINDOW_SECONDS: most = '86400',
} = process.env;

const log = createLog('slice-queue', level);
const lengths = { usual: Number(usual) * 1000, most: Number(most) * 1000 };
if (!namespace || !(lengths.usual >= 1000 && lengths.usual <= lengths.most)) {
  log.error(
    { namespace, usual, most },
    'set NAMESPACE to the broker’s own, and 1 <= WINDOW_SECONDS <= MOST_WINDOW_SECONDS',
  );
  process.exit(2);
}

const identity = `${hostname()}_${randomUUID()}`;
// the leader's own requests go past the fence that they hold up
const leader = new Leader({ client: await createClient(), namespace, name: LEASE, identity, log });
const client = await createClient({ fence: leader.fence, lost: leader.lost });
const clock = { wall: () => Date.now(), monotonic: () => performance.now() };
const broker = new QueueBroker({ client, log, clock, namespace, lengths });

let ending = false;
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(code || 1), GRACE_MS).unref();
  await broker.stop();
  await leader.stop();
  await client.close();
  log.info({ code }, 'the queue broker ended');
  process.exit(code);
}
process.on('SIGTERM', () => void end(0));
process.on('SIGINT', () => void end(0));
leader.lost.addEventListener('abort', () => void end(1));

const election = leader.run();
await broker.whenSynced();
log.info({ namespace, ...lengths }, 'the queue broker began to watch');
await leader.elected;
broker.work();
log.info({ identity }, 'the queue broker began to lead');
await election;
