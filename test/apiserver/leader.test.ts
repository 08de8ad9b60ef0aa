/** A leader that is stopped past its lease and continued must not write: with real processes and a real API server. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startInformer } from '../../kube/informer.ts';
import type { LeaseObject } from '../../kube/leader.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { eventually } from '../kube/eventually.ts';
import { apiServer, type ApiServer } from './fixture.ts';

const PROGRAM = fileURLToPath(new URL('leader-process.ts', import.meta.url));
const NAMESPACE = 'leader-test';

describe('leaders as processes', () => {
  let server: ApiServer;
  const processes: ChildProcess[] = [];

  function start(identity: string): { child: ChildProcess; said: () => string } {
    const argv = [PROGRAM, server.kubeconfig, NAMESPACE, identity];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    processes.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
    return { child, said: () => output };
  }

  before(async () => {
    server = await apiServer();
    await server.client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } });
  });
  after(async () => {
    for (const child of processes) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });

  it('write one after the other, however they are stopped', async () => {
    /** Who wrote, in the order in which the server took the writes. */
    const order: string[] = [];
    const informer = startInformer<KubeObject & { data?: Record<string, string> }>({
      client: server.client,
      resource: Resources.ConfigMap,
      namespace: NAMESPACE,
      log: silentLog(),
      onChange: (_key, after) => {
        const identity = after?.data?.identity;
        if (identity && order.at(-1) !== identity) order.push(identity);
      },
    });
    await informer.whenSynced();

    const first = start('first');
    await eventually('the first leads and writes', () => order.includes('first'));
    first.child.kill('SIGSTOP');
    const second = start('second');
    await eventually('the second leads and writes', () => order.includes('second'));
    first.child.kill('SIGCONT');
    const [code] = (await once(first.child, 'exit')) as [number | null];
    assert.equal(code, 1, 'the first sees that it does not lead any more');
    assert.match(first.said(), /leading\nlost\n/);

    second.child.kill('SIGTERM');
    await once(second.child, 'exit');
    const ref = { namespace: NAMESPACE, name: 'leader' };
    const lease = await server.client.get<LeaseObject>(Resources.Lease, ref);
    assert.equal(lease?.spec.holderIdentity, '', 'the second gave the lease back');
    await informer.stop();
    assert.deepEqual(order, ['first', 'second']);
  });
});
