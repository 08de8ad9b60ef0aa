/** The queue broker's process as its example starts it: settings, leadership, and an orderly end. */
import assert from 'node:assert/strict';
import type { LeaseObject } from '../../kube/leader.ts';
import { Resources } from '../../kube/resources.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { Processes, type Running } from './process.ts';

const NAMESPACE = 'queue-main';

describe("the queue broker's process", () => {
  let server: ApiServer;
  const processes = new Processes('operator/brokers/queue/main.ts');

  before(async () => {
    server = await apiServer();
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  });
  afterEach(() => processes.kill());

  const start = (settings: Record<string, string>): Running => processes.start(server, settings);
  const holder = async () =>
    (await server.client.get<LeaseObject>(Resources.Lease, { namespace: NAMESPACE, name: 'slice-queue' }))?.spec
      .holderIdentity;

  it('leads alone, and gives the lease back at its end, so that the next leads at once', async () => {
    const one = start({ NAMESPACE });
    await until('it to lead', () => Promise.resolve(assert.match(one.output.join(''), /began to lead/)));
    const first = await holder();
    const two = start({ NAMESPACE, WINDOW_SECONDS: '60' });
    await until('the other to watch', () => Promise.resolve(assert.match(two.output.join(''), /began to watch/)));
    assert.equal(await holder(), first);
    one.child.kill('SIGTERM');
    assert.equal(await one.exited, 0, one.output.join(''));
    await until('the other to lead', () => Promise.resolve(assert.match(two.output.join(''), /began to lead/)));
    assert.notEqual(await holder(), first);
  });

  it('says what is wrong with its settings, and ends', async () => {
    const wrong: Record<string, string>[] = [
      {},
      { NAMESPACE, WINDOW_SECONDS: '0' },
      { NAMESPACE, WINDOW_SECONDS: 'hour' },
      { NAMESPACE, WINDOW_SECONDS: '60', MOST_WINDOW_SECONDS: '59' },
    ];
    for (const settings of wrong) {
      const one = start(settings);
      assert.equal(await one.exited, 2, JSON.stringify(settings));
      assert.match(one.output.join(''), /set NAMESPACE to the broker’s own, and 1 <= WINDOW_SECONDS/);
    }
  });
});
