/**
 * A process that wants to lead and, while it does, writes as much as it can: every write says who wrote it. Its many writes
 * wait for one connection, so that wherever it is stopped, some have passed their first fence already.
 * `node leader-process.ts KUBECONFIG NAMESPACE IDENTITY`; says `leading` and `lost` on stdout.
 */
import { createClient } from '../../kube/client.ts';
import { FencedError } from '../../kube/errors.ts';
import { Leader } from '../../kube/leader.ts';
import { silentLog } from '../../kube/log.ts';

const WRITERS = 20;

const [kubeconfig, namespace = '', identity = ''] = process.argv.slice(2);
const leader = new Leader({
  client: await createClient({ kubeconfig }),
  namespace,
  name: 'leader',
  identity,
  log: silentLog(),
  // shorter than usual, and long enough that a busy machine takes nobody's lease
  leaseMs: 9_000,
  renewDeadlineMs: 6_000,
  retryMs: 500,
});
const client = await createClient({ kubeconfig, fence: leader.fence, lost: leader.lost, connections: 1 });

async function write(name: string): Promise<void> {
  for (let count = 0; ; count++) {
    const data = { identity, count: String(count) };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
    try {
      await client.apply(object, { fieldManager: 'leader', force: true });
    } catch (error) {
      if (error instanceof FencedError) return;
      // any other failure: on with the next, as a reconciler would
    }
  }
}

process.on('SIGTERM', () => void leader.stop().then(() => process.exit(0)));
void leader.run();
await leader.elected;
console.log('leading');
await Promise.all(Array.from({ length: WRITERS }, (_, index) => write(`writes-${index}`)));
console.log('lost');
if (leader.lost.aborted) process.exit(1);
