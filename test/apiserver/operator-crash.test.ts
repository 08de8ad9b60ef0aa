/**
 * The operator dies at each of its writes in turn, before and after the server has seen it, and is started again: the end
 * is the same as undisturbed, and so is the number of objects made and deleted on the way.
 */
import assert from 'node:assert/strict';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { Resources, type KubeObject, type Resource } from '../../kube/resources.ts';
import type { Pod } from '../../operator/kinds.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { startProcess, type Crash, type Process, type Write } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

interface Story {
  /** What was there at the end of each chapter. */
  chapters: unknown[];
  /** Objects made and deleted, by method and kind. */
  counts: Record<string, number>;
  writes: Write[];
  crashed: boolean;
}

describe('an operator that dies at a write', () => {
  let server: ApiServer;
  let world: World;
  let serial = 0;

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client);
  });
  after(() => world.stop());

  /** A slice's life on three nodes of which one refuses at first; every chapter ends where the world says so. */
  async function tell(crash: Crash | undefined): Promise<Story> {
    const ns = `crash-${++serial}`;
    const nodes = ['n1', 'n2', 'n3'].map((name) => `${name}-of-${serial}`);
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } });
    for (const name of nodes) await world.addNode(name, { of: ns });
    const first = new Set<string>();
    world.decide = ({ spec }) => {
      first.add(spec.nodeName);
      return spec.nodeName === [...first][0] ? { reason: 'PortInUse', message: 'TCP 80 is not free' } : undefined;
    };
    const writes: Write[] = [];
    const processes: Process[] = [];
    let crashed = false;
    let restarting: Promise<void> | undefined;

    async function start(options: { crash?: Crash }): Promise<void> {
      const one = await startProcess(server, options);
      processes.push(one);
      const again = async () => {
        await one.crashed;
        crashed = true;
        restarting = one.stop().then(() => start({}));
      };
      void again();
    }

    async function objects<T>(resource: Resource): Promise<T[]> {
      const root = resource.apiVersion === 'v1' ? '/api/v1' : `/apis/${API_VERSION}`;
      const path = `${root}/namespaces/${ns}/${resource.plural}`;
      return (await server.client.request<{ items: T[] }>('GET', path)).items;
    }

    async function snapshot(): Promise<unknown> {
      const shorten = (text: string) => text.replaceAll(`-of-${serial}`, '').replace(/-[0-9a-f]{10}$/, '');
      const [slice] = await objects<Slice>(Resources.Slice);
      const rights = await objects<ResourceCapability>(Resources.ResourceCapability);
      const pods = await objects<Pod>(Resources.Pod);
      const maps = await objects<KubeObject & { data: object }>(Resources.ConfigMap);
      return {
        finalizers: slice?.metadata.finalizers,
        nodes: slice?.status?.nodes,
        conditions: slice?.status?.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
        rights: rights.map(({ spec }) => JSON.stringify({ ...spec, nodeName: '' })),
        pods: pods.map(({ metadata, spec }) => [
          metadata.labels!['slice-operator.io/template-hash'],
          shorten(spec.nodeName ?? '').replace(/\d/, ''),
        ]),
        maps: maps.filter(({ metadata }) => metadata.name === 'web-boot').map(({ data }) => data),
      };
    }

    async function chapter(check: (slice: Slice | undefined) => void): Promise<unknown> {
      await until('the end of a chapter', async () => {
        const [slice] = await objects<Slice>(Resources.Slice);
        check(slice);
      }).catch((error: unknown) => {
        const written = JSON.stringify(processes.map((one) => one.writes));
        throw new Error(`crashed: ${crashed}, processes' writes: ${written}`, { cause: error });
      });
      return await snapshot();
    }

    const edit = (spec: object) => server.client.patch(Resources.Slice, { namespace: ns, name: 'web' }, { spec });
    const allRun = (generation: number) => (slice: Slice | undefined) => {
      const ready = getCondition(slice?.status?.conditions, 'Ready');
      assert.deepEqual([ready?.status, ready?.observedGeneration], ['True', generation], ready?.message);
    };

    await start({ ...(crash && { crash }) });
    const chapters: unknown[] = [];
    const sliver = { image: 'example.org/web:1', bootScript: 'exec sleep inf' };
    const placement = { nodeSelector: { of: ns }, count: 2 };
    const spec = { contact: 'ops@example.org', placement, sliver, resources: { cpu: { shares: 10 } } };
    const slice = { apiVersion: API_VERSION, kind: 'Slice', metadata: { name: 'web', namespace: ns }, spec };
    await server.client.create<KubeObject>(slice);
    chapters.push(await chapter(allRun(1)));
    await edit({ resources: { cpu: { shares: 20 } }, sliver: { bootScript: 'exec sleep 1d' } });
    chapters.push(await chapter(allRun(2)));
    await edit({ suspended: true });
    chapters.push(
      await chapter((one) => {
        assert.equal(getCondition(one?.status?.conditions, 'Ready')?.reason, 'Suspended');
        assert.deepEqual([one?.status?.nodes?.running, one?.status?.nodes?.upToDate], [0, 0]);
      }),
    );
    await edit({ suspended: false });
    chapters.push(await chapter(allRun(4)));
    await server.client.remove(Resources.Slice, { namespace: ns, name: 'web' });
    chapters.push(await chapter((one) => assert.equal(one, undefined)));

    await restarting;
    for (const one of processes) {
      await one.stop();
      writes.push(...one.writes);
    }
    for (const name of nodes) {
      await world.removeNode(name);
      await server.client.remove(Resources.SliceNode, { name });
    }
    return { chapters, counts: count(writes), writes, crashed };
  }

  it('comes to the same end, with as many objects made and deleted', async function () {
    this.timeout(900_000);
    const undisturbed = await tell(undefined);
    assert.deepEqual(undisturbed.counts, {
      'DELETE configmaps': 1,
      'DELETE pods': 4,
      'DELETE resourcecapabilities': 3,
      'POST configmaps': 1,
      'POST pods': 6,
      'POST resourcecapabilities': 3,
      'POST slicenodes': 3,
    });
    let crashes = 0;
    for (let at = 1; at <= undisturbed.writes.length; at++) {
      for (const when of ['before', 'after'] as const) {
        const where = `died ${when} write ${at}`;
        const story = await tell({ at, when }).catch((error: unknown) => {
          throw new Error(`${where}: ${JSON.stringify(undisturbed.writes[at - 1])}`, { cause: error });
        });
        if (story.crashed) crashes++;
        assert.deepEqual(story.chapters, undisturbed.chapters, where);
        assert.deepEqual(story.counts, undisturbed.counts, `${where}: ${JSON.stringify(story.writes, null, 1)}`);
      }
    }
    assert.ok(crashes >= undisturbed.writes.length, `${crashes} crashes`);
  });
});

function count(writes: readonly Write[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { method, path } of writes) {
    if (method === 'PATCH') continue;
    const kind = /\/(slicenodes|resourcecapabilities|pods|configmaps)(\/|$)/.exec(path)?.[1];
    const key = `${method} ${kind}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
