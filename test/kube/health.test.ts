import assert from 'node:assert/strict';
import { get } from 'node:http';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { createMetrics } from '../../kube/metrics.ts';
import { serveHealth } from '../../kube/health.ts';
import type { Listening } from '../../kube/listen.ts';
import { eventually } from './eventually.ts';
import { WorkQueue } from '../../kube/workqueue.ts';

describe('health server', () => {
  let server: Listening;
  let dead: string | undefined;
  let unready: string | undefined;
  const metrics = createMetrics();
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });

  before(async () => {
    const { registry } = metrics;
    server = await serveHealth({ port: 0, host: '127.0.0.1', registry, live: () => dead, ready: () => unready });
  });
  after(() => server.close());

  for (const [path, set] of [
    ['/healthz', (problem: string | undefined) => (dead = problem)],
    ['/readyz', (problem: string | undefined) => (unready = problem)],
  ] as const) {
    it(`${path} says ok, or 503 with the reason`, async () => {
      assert.deepEqual([(await ask(path)).status, await (await ask(path)).text()], [200, 'ok\n']);
      set('the stores are not filled');
      const answer = await ask(`${path}?verbose`);
      set(undefined);
      assert.deepEqual([answer.status, await answer.text()], [503, 'the stores are not filled\n']);
    });
  }

  it('shows documents to this machine alone', async () => {
    const documents = { '/secret': async () => '{}' };
    const other = await serveHealth({
      port: 0,
      host: '127.0.0.1',
      registry: metrics.registry,
      ready: () => undefined,
      documents,
    });
    const from = (localAddress: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const asked = get({ host: '127.0.0.1', port: other.port, path: '/secret', localAddress }, (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        });
        asked.once('error', reject);
      });
    try {
      assert.deepEqual([await from('127.0.0.1'), await from('127.0.0.2')], [200, 403]);
    } finally {
      await other.close();
    }
  });

  it('answers probes, however many connections somebody holds', async () => {
    const held = Array.from({ length: 80 }, () => {
      const socket = connect({ host: '127.0.0.1', port: server.port, localAddress: '127.0.0.2' });
      socket.on('error', () => undefined).resume();
      socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
      return socket;
    });
    await eventually('all but some to be closed', () => held.filter(({ closed }) => !closed).length <= 8);
    const probe = (localAddress: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const at = { host: '127.0.0.1', port: server.port, path: '/healthz', localAddress, agent: false };
        get(at, (answer) => resolve(answer.resume().statusCode!)).once('error', reject);
      });
    assert.deepEqual([await probe('127.0.0.1'), await probe('127.0.0.2')], [200, 200]);
    for (const one of held) one.destroy();
  });

  it('makes metrics once for all who ask at a time', async () => {
    let made = 0;
    const more = async (): Promise<string> => {
      made++;
      return 'more 1\n';
    };
    const other = await serveHealth({
      port: 0,
      host: '127.0.0.1',
      registry: new Registry(),
      ready: () => undefined,
      more,
    });
    const all = await Promise.all(
      Array.from({ length: 5 }, async () => (await fetch(`http://127.0.0.1:${other.port}/metrics`)).text()),
    );
    await other.close();
    assert.ok(all.every((text) => text.endsWith('more 1\n')));
    assert.equal(made, 1);
  });

  it('answers GET and HEAD only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      assert.equal((await ask('/healthz', method)).status, 405, method);
    }
    const head = await ask('/healthz', 'HEAD');
    assert.deepEqual([head.status, await head.text()], [200, '']);
  });

  it('has nothing else to show', async () => {
    for (const path of ['/', '/debug/pprof', '/metrics/..%2f..%2fetc', '//healthz']) {
      assert.equal((await ask(path)).status, 404, path);
    }
  });

  it('shows metrics under the names that dashboards know', async () => {
    const queue = new WorkQueue();
    metrics.controller('slice', queue).onResult('success', 0.01);
    metrics.onRequest('GET', 200);
    metrics.setLeading('slice-operator', true);
    queue.add('a/1');
    // not those of the moment before
    let text = '';
    let answer = await ask('/metrics');
    await eventually('new ones', async () => {
      answer = await ask('/metrics');
      text = await answer.text();
      return text.includes('workqueue_depth{name="slice"} 1');
    });
    assert.match(answer.headers.get('content-type')!, /^text\/plain/);
    for (const line of [
      'controller_runtime_reconcile_total{controller="slice",result="success"} 1',
      'controller_runtime_reconcile_total{controller="slice",result="terminal"} 0',
      'rest_client_requests_total{method="GET",code="200"} 1',
      'leader_election_master_status{name="slice-operator"} 1',
      'workqueue_depth{name="slice"} 1',
    ]) {
      assert.ok(text.includes(line), line);
    }
  });

  it('says which port it could not have', async () => {
    const options = { port: server.port, host: '127.0.0.1', registry: new Registry(), ready: () => undefined };
    await assert.rejects(serveHealth(options), new RegExp(`port ${server.port} .*EADDRINUSE`));
  });
});
