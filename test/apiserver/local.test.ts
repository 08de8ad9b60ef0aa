/**
 * The local API through a real API server: a sliver asks its node over its socket, the operator does or refuses it, and the
 * node's own admission answers.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { API_VERSION, LABEL_LOCAL, LABEL_NODE, localRcapName, rcapName } from '../../crds/names.ts';
import { amounts } from '../../crds/rspec.ts';
import type { LocalRequest, ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import { type Informer, startInformer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources } from '../../kube/resources.ts';
import { EMPTY_LEDGER, type Ledger } from '../../node-daemonset/admission/ledger.ts';
import { policyOf } from '../../node-daemonset/admission/policy.ts';
import { lean } from '../../node-daemonset/admission/turns.ts';
import { EMPTY_STATE } from '../../node-daemonset/checkpoint.ts';
import type { LocalCapability } from '../../node-daemonset/local/rights.ts';
import { type LocalApi, startLocal } from '../../node-daemonset/local/start.ts';
import type { Desired, Sliver } from '../../node-daemonset/sliver.ts';
import type { Pod } from '../../operator/kinds.ts';
import { makeSliver } from '../node-daemonset/desired.ts';
import { call, type Told } from '../node-daemonset/local/call.ts';
import { admit } from '../node-daemonset/rights.ts';
import { apiServer, type ApiServer, removeSlices, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const NODE = 'local-node';
const OTHER_NODE = 'local-other';
const NAMESPACE = 'local-broker';
const OTHER = 'local-other-site';
const PRIVILEGES: ('RawSockets' | 'Capabilities')[] = ['RawSockets', 'Capabilities'];
const SPEC = { privileges: PRIVILEGES };

describe('the local API, on a real API server', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let rcaps: Informer<ResourceCapability>;
  let sliceNodes: Informer<SliceNode>;
  let local: LocalApi;
  let directory: string;
  let ledger: Ledger = EMPTY_LEDGER;
  let slivers: Sliver[] = [];
  /** Whoever connects in the test. */
  let peer = '';

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client);
    operator = await startProcess(server);
    for (const name of [NAMESPACE, OTHER]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    for (const name of [NODE, OTHER_NODE]) {
      await world.addNode(name);
      await until(`the SliceNode ${name}`, () =>
        server.client.patch(Resources.SliceNode, { name }, { spec: SPEC }).then(() => undefined),
      );
    }
    await slice(NAMESPACE, 'broker', PRIVILEGES);
    await slice(NAMESPACE, 'plain', []);
    slivers = [await sliverOf('broker', PRIVILEGES), await sliverOf('plain', [])];
    directory = mkdtempSync(join(tmpdir(), 'local-'));
    for (const { id } of slivers) mkdirSync(join(directory, id));
    const onChange = (): void => pass();
    const common = { client: server.client, log: silentLog() };
    rcaps = startInformer<ResourceCapability>({
      ...common,
      resource: Resources.ResourceCapability,
      labelSelector: `${LABEL_NODE}=${NODE}`,
      transform: lean,
      onChange,
    });
    sliceNodes = startInformer<SliceNode>({
      ...common,
      resource: Resources.SliceNode,
      fieldSelector: `metadata.name=${NODE}`,
      onChange,
    });
    local = startLocal({
      ...common,
      nodeName: NODE,
      directoryOf: (uid) => join(directory, uid),
      store: { get: () => ({ ...EMPTY_STATE, ledger }) },
      policy: () => policyOf(SPEC),
      rcaps: () => (rcaps.store.synced ? rcaps.store.list() : undefined),
      sliceNode: () => sliceNodes.store.get(NODE),
      registry: new Registry(),
      podOf: () => peer,
    });
    await Promise.all([rcaps.whenSynced(), sliceNodes.whenSynced()]);
    pass();
    await until('the sockets', () => ask('broker', 'GET', '/v1/capabilities'));
  });
  after(async () => {
    await local?.close();
    await Promise.all([rcaps?.stop(), sliceNodes?.stop(), operator.stop()]);
    for (const name of [NODE, OTHER_NODE]) {
      await world.removeNode(name);
      await server.client.remove(Resources.SliceNode, { name });
    }
    await world.stop();
    await removeSlices(server);
    if (directory) rmSync(directory, { recursive: true });
  });

  /** As much of a node manager's pass as the local API sees: admission, and then the enforcer. */
  function pass(): void {
    if (!local || !rcaps.store.synced) return;
    ({ ledger } = admit(ledger, rcaps.store.list(), { nodeName: NODE, spec: { ...SPEC, budget: { shares: 300 } } }));
    void local.enforcer.enforce({ slivers } as unknown as Desired, new AbortController().signal);
  }

  async function slice(namespace: string, name: string, privileges: typeof PRIVILEGES): Promise<void> {
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { namespace, name },
      spec: { contact: 'ops@example.org', resources: { privileges }, sliver: { image: 'x' } },
    });
  }

  async function sliverOf(name: string, privileges: typeof PRIVILEGES): Promise<Sliver> {
    const rcap = { namespace: NAMESPACE, name: rcapName(name, NODE) };
    const uid = await until(`a sliver of ${name}`, async () => {
      const pod = await server.client.get<Pod>(Resources.Pod, rcap);
      assert.equal(pod?.status?.phase, 'Running');
      return (await get(rcap.name))!.metadata.uid!;
    });
    const more = { rcap: { ...rcap, uid }, slice: name };
    return makeSliver(`pod-${name}`, { ...amounts({ privileges }) }, more);
  }

  const get = (name: string, namespace = NAMESPACE) =>
    server.client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });
  const statusOf = async (name = NODE) => (await server.client.get<SliceNode>(Resources.SliceNode, { name }))!.status!;

  async function ask(slice: string, method: string, path: string, body?: object): Promise<Told> {
    peer = `pod-${slice}`;
    return await call(join(directory, peer, 'capabilities'), method, path, body);
  }
  const told = ({ body }: Told): LocalCapability => body as LocalCapability;

  it('acquires, binds, splits and releases, as ordinary ResourceCapabilities', async () => {
    const resources = { cpu: { shares: 60 }, egress: { guarantee: '1M' } };
    const window = { end: '2099-01-01T00:00:00Z' };
    const made = await ask('broker', 'POST', '/v1/capabilities', { name: 'lab', resources, window });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const { name, state, own } = told(made);
    assert.deepEqual([name, state, own], [localRcapName('broker', NODE, 'lab'), 'Granted', false]);
    const rcap = (await get(name))!;
    assert.deepEqual(rcap.metadata.labels, { [LABEL_NODE]: NODE, [LABEL_LOCAL]: 'broker' });
    assert.deepEqual(rcap.spec, { nodeName: NODE, contact: 'ops@example.org', resources, window });

    const again = await ask('broker', 'POST', '/v1/capabilities', { name: 'lab', resources, window });
    assert.deepEqual([again.status, told(again).uid], [201, rcap.metadata.uid]);
    const other = await ask('broker', 'POST', '/v1/capabilities', { name: 'lab', window });
    assert.deepEqual([other.status, other.code], [409, 'NameTaken']);

    const part = { name: 'part', resources: { cpu: { shares: 20 }, egress: { guarantee: '100k' } }, window };
    const split = await ask('broker', 'POST', '/v1/capabilities/lab/split', part);
    assert.deepEqual([split.status, told(split).state, told(split).from], [201, 'Granted', name], split.text);
    assert.equal((await get(told(split).name))!.spec.from, name);
    const left = await ask('broker', 'GET', '/v1/capabilities/lab');
    assert.equal(told(left).left?.cpu?.shares, 40);

    const bound = await ask('broker', 'POST', `/v1/capabilities/${name}/bind`, { slice: 'course' });
    assert.deepEqual([bound.status, told(bound).slice], [200, 'course'], bound.text);
    assert.equal((await get(name))!.spec.sliceName, 'course');
    assert.equal((await ask('broker', 'POST', '/v1/capabilities/lab/bind', { slice: 'other' })).code, 'AlreadyBound');

    const list = (await ask('broker', 'GET', '/v1/capabilities')).body as { capabilities: LocalCapability[] };
    assert.deepEqual(
      list.capabilities.map((one) => one.name),
      [rcapName('broker', NODE), ...[name, told(split).name].toSorted()],
    );

    for (const one of ['part', 'lab']) {
      assert.equal((await ask('broker', 'DELETE', `/v1/capabilities/${one}`)).status, 204);
      assert.equal((await ask('broker', 'GET', `/v1/capabilities/${one}`)).status, 404);
    }
    assert.equal(await get(name), undefined);
    await until('nothing to be asked for any more', async () => {
      const { requests = [], refusals = [] } = await statusOf();
      assert.deepEqual([requests, refusals], [[], []]);
    });
  });

  it('is bound by the budget of its namespace, and says so', async () => {
    const resources = { cpu: { shares: 299 } };
    const denied = await ask('broker', 'POST', '/v1/capabilities', { name: 'greedy', resources });
    assert.deepEqual([denied.status, told(denied).state], [201, 'Denied']);
    assert.equal(told(denied).reason, 'NamespaceBudget');
    assert.equal((await ask('broker', 'DELETE', '/v1/capabilities/greedy')).status, 204);
  });

  it('passes on no privilege that the sliver has not, and takes no nonsense', async () => {
    const ask1 = (body: object) => ask('broker', 'POST', '/v1/capabilities', body);
    const audit = await ask1({ name: 'audit', resources: { privileges: ['Audit'] } });
    assert.deepEqual([audit.status, audit.code], [403, 'NotPrivileged']);
    assert.equal((await ask1({ name: 'host', resources: { network: 'Host' } })).code, 'NotPrivileged');
    assert.equal((await ask1({ name: 'x', resources: { cpu: { shares: 0 } } })).code, 'Invalid');
    const limits = { egress: { guarantee: '2M', limit: '1M' } };
    assert.equal((await ask1({ name: 'x', resources: limits })).code, 'Invalid');
  });

  it('knows nobody else’s rights', async () => {
    await create('foreign');
    await create('others', { [LABEL_LOCAL]: 'plain' });
    for (const name of ['foreign', 'others']) {
      const path = `/v1/capabilities/${name}`;
      assert.equal((await ask('broker', 'GET', path)).status, 404);
      assert.equal((await ask('broker', 'DELETE', path)).status, 404);
      assert.equal((await ask('broker', 'POST', `${path}/bind`, { slice: 'broker' })).status, 404);
      assert.equal((await ask('broker', 'POST', `${path}/split`, { name: 'x' })).status, 404);
    }
    const own = await ask('broker', 'DELETE', '/v1/capabilities/self');
    assert.deepEqual([own.status, own.code], [403, 'NotAllowed']);
  });

  it('does as much with a right that somebody marked for it', async () => {
    await create('given', { [LABEL_LOCAL]: 'broker' });
    await until('the node to know it', async () => {
      assert.equal((await ask('broker', 'GET', '/v1/capabilities/given')).status, 200);
    });
    assert.equal((await ask('broker', 'DELETE', '/v1/capabilities/given')).status, 204);
    assert.equal(await get('given'), undefined);
  });

  it('refuses a sliver without the privilege, and whoever comes to another’s socket', async () => {
    for (const [method, path] of [
      ['GET', '/v1/capabilities'],
      ['POST', '/v1/capabilities'],
      ['DELETE', '/v1/capabilities/x'],
    ] as const) {
      const { status, code } = await ask('plain', method, path, method === 'POST' ? { name: 'x' } : undefined);
      assert.deepEqual([status, code], [403, 'NotPrivileged']);
    }
    peer = 'pod-plain';
    const foreign = await call(join(directory, 'pod-broker', 'capabilities'), 'GET', '/v1/capabilities');
    assert.deepEqual([foreign.status, foreign.code], [403, 'NotYours']);
  });

  describe('a stolen node', () => {
    /** What it writes to its own SliceNode, or below 1.30 to another's, and what becomes of it. */
    async function forge(change: Partial<LocalRequest>, node = NODE): Promise<string | undefined> {
      const { namespace, name: right, uid: rightUID } = slivers[0]!.rcap;
      const spec = JSON.stringify({});
      const id = crypto.randomUUID();
      const say = async (requests: object[]): Promise<void> => {
        const metadata = { name: node };
        const object = { apiVersion: API_VERSION, kind: 'SliceNode', metadata, status: { requests } };
        await server.client.apply(object, { fieldManager: 'thief', force: true, subresource: 'status' });
      };
      const request = { id, operation: 'Acquire', namespace, right, rightUID, name: 'forged', spec, ...change };
      await say([request]);
      const refusal = await until('a refusal', async () => {
        const found = (await statusOf(node)).refusals?.find((one) => one.id === id);
        assert.ok(found);
        return found;
      });
      await say([]);
      return refusal.reason;
    }

    async function refusedAll(): Promise<void> {
      const forged = localRcapName('broker', NODE, 'forged');
      for (const namespace of [NAMESPACE, OTHER]) assert.equal(await get(forged, namespace), undefined);
    }

    it('makes no right by a sliver that has not the privilege, or is none', async () => {
      const { name: right, uid: rightUID } = slivers[1]!.rcap;
      assert.equal(await forge({ right, rightUID }), 'NotPrivileged');
      assert.equal(await forge({ rightUID: 'another' }), 'NotPrivileged');
      assert.equal(await forge({ right: 'nothing' }), 'NotPrivileged');
      assert.equal(await forge({ right: '../../secrets' }), 'Invalid');
      assert.equal(await forge({ namespace: OTHER }), 'NotPrivileged');
      await refusedAll();
    });

    it('makes none by claiming that it granted what nobody asked for, nor without a pod', async () => {
      await create('claimed', {}, OTHER, 'claims');
      await grant('claimed');
      const rightUID = (await get('claimed', OTHER))!.metadata.uid!;
      assert.equal(await forge({ namespace: OTHER, right: 'claimed', rightUID }), 'NotPrivileged');
      await create('unused', {}, OTHER, 'claims', PRIVILEGES);
      await grant('unused');
      const unused = (await get('unused', OTHER))!.metadata.uid!;
      assert.equal(await forge({ namespace: OTHER, right: 'unused', rightUID: unused }), 'NotPrivileged');
      await refusedAll();
    });

    it('makes none on another node by what runs here, nor touches what is not the slice’s', async () => {
      assert.equal(await forge({}, OTHER_NODE), 'NotPrivileged');
      const uid = (await get('foreign'))!.metadata.uid!;
      const spec = JSON.stringify({ sliceName: 'broker' });
      assert.equal(await forge({ operation: 'Bind', name: 'foreign', uid, spec }), 'NotFound');
      assert.equal(await forge({ operation: 'Release', name: 'foreign', uid }), 'NotFound');
      assert.equal(await forge({ operation: 'Split', spec: JSON.stringify({ from: 'foreign' }) }), 'NotFound');
      assert.equal(await forge({ spec: '[' }), 'Invalid');
      assert.equal(await forge({ spec: JSON.stringify({ resources: { privileges: ['Audit'] } }) }), 'NotPrivileged');
      assert.ok(await get('foreign'));
      await refusedAll();
    });

    it('makes none where the owner offers the privilege no more', async () => {
      const offer = (privileges: string[]) =>
        server.client.patch(Resources.SliceNode, { name: NODE }, { spec: { privileges } });
      await offer(['RawSockets']);
      assert.equal(await forge({}), 'PrivilegeNotOffered');
      await offer(PRIVILEGES);
      await refusedAll();
    });

    /** The stand-in for a node manager grants as it comes; this says more than was asked for. */
    async function grant(name: string): Promise<void> {
      const rcap = await until('its own answer', async () => {
        const found = (await get(name, OTHER))!;
        assert.ok(found.status?.granted);
        return found;
      });
      const status = { granted: { ...rcap.status!.granted!, resources: { privileges: PRIVILEGES } } };
      await server.client.patch(
        Resources.ResourceCapability,
        { namespace: OTHER, name },
        { status },
        { subresource: 'status' },
      );
    }
  });

  async function create(
    name: string,
    labels: Record<string, string> = {},
    namespace = NAMESPACE,
    sliceName?: string,
    privileges?: typeof PRIVILEGES,
  ): Promise<void> {
    await server.client.create<ResourceCapability>({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { namespace, name, labels: { [LABEL_NODE]: NODE, ...labels } },
      spec: {
        nodeName: NODE,
        contact: 'ops@example.org',
        ...(sliceName && { sliceName }),
        ...(privileges && { resources: { privileges } }),
      },
    });
  }
});
