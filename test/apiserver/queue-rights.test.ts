/** The queue broker with the rights that its example gives it, on a real API server: they suffice, and it needs each of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type ApiClient, createClient } from '../../kube/client.ts';
import { Leader } from '../../kube/leader.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import type { QueueBroker } from '../../operator/brokers/queue/broker.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { startNodes, type AdmittingNodes } from './operator/nodes.ts';
import { startProcess, type Process } from './operator/process.ts';
import { queuedOf, queueSlice, startQueue } from './operator/queue.ts';
import { startWorld, type World } from './operator/world.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/queue.yaml', import.meta.url));
/** As in the example. */
const [BROKER, SITE, OTHER] = ['queue', 'lab', 'no-clients'];
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

type Rbac = KubeObject & { rules?: Rule[] };

describe('the queue broker’s rights', () => {
  const dir = mkdtempSync(join(tmpdir(), 'slice-queue-'));
  const used = new Set<string>();
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let nodes: AdmittingNodes;
  let account: ApiClient;
  /** The account's, which notes what it asks for. */
  let client: ApiClient;
  let broker: QueueBroker;
  let objects: Rbac[];

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client, { answers: false });
    operator = await startProcess(server);
    objects = parseAllDocuments(readFileSync(EXAMPLE, 'utf8')).map((document) => document.toJS() as Rbac);
    for (const name of [BROKER, SITE, OTHER]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    for (const object of objects) {
      const { kind, metadata } = object;
      const namespaced = kind.startsWith('Role') ? `/namespaces/${metadata.namespace}` : '';
      const path = `${RBAC}${namespaced}/${kind.toLowerCase()}s`;
      if (object.apiVersion.startsWith('rbac.')) await server.client.request('POST', path, { body: object });
    }
    const accounts = `/api/v1/namespaces/${BROKER}/serviceaccounts`;
    await server.client.request('POST', accounts, { body: objects.find(({ kind }) => kind === 'ServiceAccount') });
    account = await asAccount(`${accounts}/queue`);
    client = recorded(account, used);
    nodes = await startNodes(server.client, [await world.addNode('queue-rights', { of: 'queue-rights' })]);
    broker = await startQueue(client, BROKER);
  });
  after(async () => {
    await broker.stop();
    await account.close();
    await nodes.stop();
    await operator.stop();
    await world.stop();
    rmSync(dir, { recursive: true });
  });

  /** A client with a token of the account, and its rights. */
  async function asAccount(path: string): Promise<ApiClient> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const { status } = await server.client.request<{ status: { token: string } }>('POST', `${path}/token`, { body });
    const config = JSON.parse(readFileSync(server.kubeconfig, 'utf8')) as { users: { user: object }[] };
    config.users[0]!.user = { token: status.token };
    const kubeconfig = join(dir, 'kubeconfig');
    writeFileSync(kubeconfig, JSON.stringify(config));
    return await createClient({ kubeconfig });
  }

  const says = (namespace: string, name: string, text: RegExp) =>
    until(`${name} to be told ${text.source}`, async () => {
      const { status, message } = (await queuedOf(server.client, namespace, name)) ?? {};
      assert.match(`${status} ${message}`, text);
    });
  const placement = { nodeSelector: { of: 'queue-rights' } };

  it('let it do all that it does, where a namespace wants it', async () => {
    for (const name of ['one', 'two']) {
      await queueSlice(server.client, { name, namespace: SITE, broker: BROKER, spec: { placement } });
      await says(SITE, name, /place/);
    }
    await says(SITE, 'two', /^True place 2 of 2, opens at/);
    await until('the first to run', async () => {
      const slice = await server.client.get<KubeObject & { status: { nodes: object } }>(Resources.Slice, {
        namespace: SITE,
        name: 'one',
      });
      assert.deepEqual(slice!.status.nodes, { wanted: 1, granted: 1, denied: 0, running: 1, upToDate: 1 });
    });
    await server.client.remove(Resources.Slice, { namespace: SITE, name: 'one' });
    await says(SITE, 'two', /^False place 1 of 1, open until/);
  });

  it('let it do nothing elsewhere: a slice of another namespace keeps nobody waiting', async () => {
    await queueSlice(server.client, { name: 'three', namespace: OTHER, broker: BROKER, spec: { placement } });
    await queueSlice(server.client, { name: 'four', namespace: SITE, broker: BROKER, spec: { placement } });
    await says(SITE, 'four', /^True place 2 of 2, opens at|^True place 2 of 3, opens at|^True place 3 of 3, opens at/);
    await server.client.remove(Resources.Slice, { namespace: SITE, name: 'two' });
    await says(SITE, 'four', /^False place 1 of \d, open until/);
    assert.equal(await queuedOf(server.client, OTHER, 'three'), undefined);
  });

  it('are exactly what it needs', async () => {
    // one process leads
    const leader = new Leader({
      client,
      namespace: BROKER,
      name: 'slice-queue',
      identity: 'test',
      log: silentLog(),
      retryMs: 20,
    });
    const running = leader.run();
    await leader.elected;
    await until('a renewal', () => Promise.resolve(assert.ok(used.has('leases patch'))));
    await leader.stop();
    await running;
    const given = objects.flatMap(({ rules = [] }) =>
      rules.flatMap(({ resources, verbs }) => resources.flatMap((one) => verbs.map((verb) => `${one} ${verb}`))),
    );
    // asked only when the answer to a creation was lost
    used.add('resourcecapabilities get');
    assert.deepEqual([...used].toSorted(), [...new Set(given)].toSorted());
  });
});

/** The same client, but that it notes what is asked for, in the words of a role. */
function recorded(real: ApiClient, used: Set<string>): ApiClient {
  const note = (verb: string, path: string): void => {
    const [, resource, name, below] = /\/(?:v1|v1alpha1)\/(?:namespaces\/[^/]+\/)?([^/]+)\/?([^/]*)\/?([^/]*)$/.exec(
      path,
    )!;
    const words = { GET: name ? 'get' : 'list', POST: 'create', PATCH: 'patch', DELETE: 'delete' }[verb] ?? verb;
    used.add(`${resource}${below ? `/${below}` : ''} ${words}`);
  };
  const request: ApiClient['request'] = (method, path, options) => {
    note(method, path);
    return real.request(method, path, options);
  };
  const stream: ApiClient['stream'] = (path, query, signal) => {
    note('watch', path);
    return real.stream(path, query, signal);
  };
  return new Proxy(real, {
    get: (target, property) =>
      property === 'request'
        ? request
        : property === 'stream'
          ? stream
          : (Reflect.get(target, property, target) as unknown),
  });
}
