/** The operator's process as the chart starts it: settings, probes, metrics, leadership, and an orderly end. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNodePolicy } from '../../crds/types.ts';
import type { LeaseObject } from '../../kube/leader.ts';
import { Resources } from '../../kube/resources.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { ignore } from './operator/world.ts';
import { Processes, type Running } from './process.ts';

const NAMESPACE = 'main-test';

interface Serving extends Running {
  port: number;
}

describe("the operator's process", () => {
  let server: ApiServer;
  const processes = new Processes('operator/main.ts');

  before(async () => {
    server = await apiServer();
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  });
  afterEach(async () => {
    await processes.kill();
    await ignore(404, server.client.remove(Resources.Lease, { namespace: NAMESPACE, name: 'slice-operator' }));
  });

  async function start(name: string, argv: string[] = []): Promise<Serving> {
    const port = await freePort();
    const settings = { NAMESPACE, POD_NAME: name, HEALTH_PORT: String(port), HEALTH_HOST: '127.0.0.1' };
    return { ...processes.start(server, settings, argv), port };
  }

  const ask = async ({ port }: Serving, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()] as const;
  };
  const holder = async () =>
    (await server.client.get<LeaseObject>(Resources.Lease, { namespace: NAMESPACE, name: 'slice-operator' }))?.spec
      .holderIdentity;
  const leads = (name: string) =>
    until(`${name} to lead`, async () => assert.match((await holder()) ?? '', new RegExp(`^${name}`)));

  it('is ready when its stores are filled, leads, shows metrics, and gives the lease back at its end', async () => {
    const one = await start('one');
    await leads('one');
    await until('it to be ready', async () => assert.equal((await ask(one, '/readyz'))[0], 200));
    await until('it to lead by its own account', async () =>
      assert.match((await ask(one, '/metrics'))[1], /leader_election_master_status\{name="slice-operator"\} 1/),
    );
    const [, metrics] = await ask(one, '/metrics');
    assert.match(metrics, /slice_operator_slices\{ready="true"\} 0/);
    assert.match(metrics, /controller_runtime_reconcile_total\{controller="slice",result="error"\} 0/);
    one.child.kill('SIGTERM');
    assert.equal(await one.exited, 0, one.output.join(''));
    assert.equal(await holder(), '');
  });

  it('tells in an Event, as kubectl describe shows it, what is wrong with an object of no namespace', async () => {
    const metadata = { name: 'main-nonsense' };
    const window = { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' };
    const policy: SliceNodePolicy = {
      apiVersion: API_VERSION,
      kind: 'SliceNodePolicy',
      metadata,
      spec: { policy: { blackouts: [window] } },
    };
    const { uid } = (await server.client.create(policy)).metadata;
    await server.client.create({ apiVersion: 'v1', kind: 'Node', metadata });
    try {
      const one = await start('one');
      await until('the Event', async () => {
        const query = { fieldSelector: `involvedObject.uid=${uid}` };
        const { items } = await server.client.request<{ items: { reason: string }[] }>('GET', '/api/v1/events', {
          query,
        });
        assert.deepEqual(
          items.map(({ reason }) => reason),
          ['InvalidSpec'],
          one.output.join(''),
        );
      });
    } finally {
      await server.client.remove(Resources.SliceNodePolicy, metadata);
      await server.client.remove(Resources.Node, metadata);
      await ignore(404, server.client.remove(Resources.SliceNode, metadata));
    }
  });

  it('stands by ready while another leads, and takes over at once when that one ends', async () => {
    const one = await start('one');
    await leads('one');
    const two = await start('two');
    await until('the second to be ready', async () => assert.equal((await ask(two, '/readyz'))[0], 200));
    assert.match((await holder())!, /^one/);
    one.child.kill('SIGTERM');
    assert.equal(await one.exited, 0, one.output.join(''));
    await leads('two');
  });

  it('ends with a failure when another has taken its lease', async () => {
    const one = await start('one');
    await leads('one');
    await until('it to lead by its own account', async () =>
      assert.match((await ask(one, '/metrics'))[1], /leader_election_master_status\{name="slice-operator"\} 1/),
    );
    const spec = { holderIdentity: 'somebody', leaseDurationSeconds: 60 };
    await server.client.patch(Resources.Lease, { namespace: NAMESPACE, name: 'slice-operator' }, { spec });
    assert.equal(await one.exited, 1, one.output.join(''));
    assert.equal(await holder(), 'somebody');
  });

  it('refuses controllers that it does not have, and says which there are', async () => {
    const one = await start('one', ['--controllers=*,-queue']);
    assert.equal(await one.exited, 2);
    assert.match(one.output.join(''), /no controller "-queue"; there are slice, broker, capability, node, watchdog/);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as AddressInfo;
      listener.close(() => resolve(port));
    });
  });
}
