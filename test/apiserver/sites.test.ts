/** Overrides and sites' pools against a real API server: what is written, what is refused and told, and who is first. */
import assert from 'node:assert/strict';
import { getCondition } from '../../crds/conditions.ts';
import { ANNOTATION_OVERRIDES, API_VERSION, LABEL_SITE } from '../../crds/names.ts';
import type { Override, ResourceCapability, Slice, SliceSpec } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { parseSiteShares } from '../../operator/site/sites.ts';
import type { Pod } from '../../operator/kinds.ts';
import { apiServer, type ApiServer, removeNodes, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { ignore, startWorld, type World } from './operator/world.ts';

const NODES = { 'site-n1': 'big', 'site-n2': 'big', 'site-n3': 'small' };
const [WEB, DB] = ['site-web', 'site-db'];
/** Of three nodes: a pool of 300. */
const SITES = parseSiteShares('1000', '{"mit":100}', '');

describe('overrides and sites', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;

  before(async () => {
    server = await apiServer();
    await removeNodes(server);
    world = await startWorld(server.client);
    operator = await startProcess(server, { siteShares: SITES });
    for (const name of [WEB, DB]) {
      const metadata = { name, labels: { [LABEL_SITE]: 'mit' } };
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    }
    for (const [name, size] of Object.entries(NODES)) await world.addNode(name, { of: 'sites', size });
  });
  after(async () => {
    await operator.stop();
    for (const name of Object.keys(NODES)) await world.removeNode(name);
    for (const name of Object.keys(NODES)) await server.client.remove(Resources.SliceNode, { name });
    await world.stop();
  });
  afterEach(async () => {
    for (const namespace of [WEB, DB]) {
      for (const { metadata } of await list<Slice>('slices', namespace)) await remove(metadata.name, namespace);
      await eventually(async () => assert.deepEqual(await list('resourcecapabilities', namespace), []));
      await eventually(async () => assert.deepEqual(await list('slices', namespace), []));
    }
  });

  const eventually = (check: () => Promise<void>): Promise<void> => until('what was expected', check);

  async function list<T>(plural: string, namespace: string): Promise<T[]> {
    const group = plural === 'pods' ? '/api/v1' : `/apis/${API_VERSION}`;
    return (await server.client.request<{ items: T[] }>('GET', `${group}/namespaces/${namespace}/${plural}`)).items;
  }
  const rights = async (namespace = WEB) =>
    (await list<ResourceCapability>('resourcecapabilities', namespace)).toSorted((a, b) =>
      a.spec.nodeName < b.spec.nodeName ? -1 : 1,
    );

  async function make(name: string, namespace: string, spec: Partial<SliceSpec>): Promise<void> {
    const placement = { nodeSelector: { of: 'sites' }, ...spec.placement };
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name, namespace },
      spec: { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' }, ...spec, placement },
    });
  }

  const remove = (name: string, namespace: string) =>
    ignore(404, server.client.remove(Resources.Slice, { namespace, name }));
  const edit = (name: string, namespace: string, spec: object) =>
    server.client.patch(Resources.Slice, { namespace, name }, { spec });
  const get = async (name: string, namespace: string) =>
    (await server.client.get<Slice>(Resources.Slice, { namespace, name }))!;

  async function condition(type: string, name: string, namespace: string, reason: string): Promise<string> {
    let text = '';
    await eventually(async () => {
      const { metadata, status } = await get(name, namespace);
      const now = getCondition(status?.conditions, type);
      assert.deepEqual([now?.reason, now?.observedGeneration], [reason, metadata.generation], now?.message);
      text = now!.message;
    });
    return text;
  }

  it('merge sliver over group over slice, and an edit touches whom it is about', async () => {
    const overrides: Override[] = [
      { name: 'big', nodeSelector: { size: 'big' }, resources: { cpu: { shares: 40 }, egress: { limit: '50M' } } },
      { name: 'one', node: 'site-n1', resources: { cpu: { excess: 'None' }, ports: [] } },
    ];
    const ports = [{ protocol: 'TCP' as const, port: 8080 }];
    await make('web', WEB, { resources: { cpu: { shares: 20 }, ports }, overrides });
    await condition('Ready', 'web', WEB, 'AllRunning');
    const before = await rights();
    assert.deepEqual(
      before.map(({ spec, metadata }) => [spec.resources, metadata.annotations?.[ANNOTATION_OVERRIDES]]),
      [
        [{ cpu: { shares: 40, excess: 'None' }, egress: { limit: '50M' }, ports: [] }, 'big,one'],
        [{ cpu: { shares: 40 }, egress: { limit: '50M' }, ports }, 'big'],
        [{ cpu: { shares: 20 }, ports }, undefined],
      ],
    );
    await eventually(async () => {
      assert.deepEqual((await get('web', WEB)).status?.overrides, [
        { name: 'big', slivers: 2 },
        { name: 'one', slivers: 1 },
      ]);
    });
    const pods = new Map((await list<Pod>('pods', WEB)).map(({ metadata }) => [metadata.name, metadata.uid]));
    await edit('web', WEB, { overrides: [overrides[0], { ...overrides[1], resources: { cpu: { shares: 60 } } }] });
    await eventually(async () => {
      const running = await list<Pod>('pods', WEB);
      const kept = running.filter(({ metadata }) => pods.get(metadata.name) === metadata.uid);
      assert.deepEqual(kept.map(nameOf).toSorted(), before.slice(1).map(nameOf).toSorted());
      assert.equal(running.length, 3);
    });
    await condition('Ready', 'web', WEB, 'AllRunning');
    const after = await rights();
    assert.equal(after[0]!.spec.resources?.cpu?.shares, 60);
    assert.deepEqual(
      after.map(({ metadata }) => metadata.generation),
      [2, 1, 1],
      'the rights of others were not written',
    );
  });

  it('shows what the short form comes to', async () => {
    await make('web', WEB, { share: 30 });
    await condition('Ready', 'web', WEB, 'AllRunning');
    const { resources } = (await get('web', WEB)).status!;
    assert.deepEqual(resources, { cpu: { shares: 30, excess: 'Share' }, egress: { guarantee: '3M', limit: '10M' } });
  });

  it('refuses what the pool of all its projects does not hold, with the books, and gives it when it is free', async () => {
    await make('web', WEB, { share: 80 });
    await condition('Ready', 'web', WEB, 'AllRunning');
    await make('index', DB, { share: 50 });
    await condition('Allocated', 'index', DB, 'InsufficientSiteShares');
    await eventually(async () => assert.equal((await get('index', DB)).status?.nodes?.granted, 1));
    const text = await condition('Allocated', 'index', DB, 'InsufficientSiteShares');
    assert.match(text, /^1 of 3 granted; 2 nodes not asked \(site-n2, site-n3\): asks 50 shares on each, site mit has/);
    assert.match(text, /site-web\/web holds 240, site-db\/index holds 50, 10 free$/);
    assert.equal((await rights(DB)).length, 1);
    await edit('web', WEB, { share: 50 });
    await condition('Ready', 'index', DB, 'AllRunning');
    assert.equal((await rights(DB)).length, 3);
  });

  it('refuses an edit that the pool does not hold, and the old rights go on', async () => {
    await make('web', WEB, { share: 80 });
    await condition('Ready', 'web', WEB, 'AllRunning');
    await edit('web', WEB, { share: 200 });
    await condition('Allocated', 'web', WEB, 'InsufficientSiteShares');
    const shares = (await rights()).map(({ status }) => status?.granted?.resources.cpu?.shares);
    assert.deepEqual(shares, [80, 80, 80], 'the edit of one right would take 120 of the 60 that are free');
    assert.equal((await get('web', WEB)).status?.nodes?.running, 3);
  });

  it('gives to the older slice also where a new process sees both at once', async () => {
    await operator.stop();
    await make('older', WEB, { share: 100 });
    // creation is told to the second
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await make('younger', DB, { share: 100 });
    operator = await startProcess(server, { siteShares: SITES });
    await condition('Ready', 'older', WEB, 'AllRunning');
    const text = await condition('Allocated', 'younger', DB, 'InsufficientSiteShares');
    assert.match(text, /site-web\/older holds 300, 0 free$/);
    await remove('older', WEB);
    await condition('Ready', 'younger', DB, 'AllRunning');
  });
});

function nameOf({ metadata }: KubeObject): string {
  return metadata.name;
}
