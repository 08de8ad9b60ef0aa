/** The operator against a real API server: from a Slice to its pods, and back to nothing. */
import assert from 'node:assert/strict';
import { LABEL_NODE, rcapName } from '../../crds/names.ts';
import { Resources } from '../../kube/resources.ts';
import type { Pod } from '../../operator/kinds.ts';
import { Scene } from './operator/scene.ts';
import { ignore } from './operator/world.ts';

describe('the operator', () => {
  const scene = new Scene();
  before(() => scene.start());
  after(() => scene.stop());
  beforeEach(() => scene.open());
  afterEach(() => scene.clear());

  it('makes one right and one pod a node, and says that all run', async () => {
    const names = await scene.nodes(2);
    const slice = await scene.apply({ resources: { cpu: { shares: 100 } } });
    await scene.ready();
    const rights = await scene.capabilities();
    assert.deepEqual(rights.map(({ spec }) => spec.nodeName).sort(), names);
    for (const right of rights) {
      assert.equal(right.metadata.name, rcapName('web', right.spec.nodeName));
      assert.equal(right.metadata.ownerReferences![0]!.uid, slice.metadata.uid);
      assert.equal(right.metadata.labels![LABEL_NODE], right.spec.nodeName);
    }
    const made = await scene.pods();
    assert.deepEqual(
      made.map(({ metadata }) => metadata.name).sort(),
      rights.map(({ metadata }) => metadata.name).sort(),
    );
    const container = (made[0]!.spec['containers'] as { resources: { requests: { cpu: string } } }[])[0]!;
    assert.equal(container.resources.requests.cpu, '390m');
    const { status } = await scene.get();
    assert.deepEqual(status!.nodes, { wanted: 2, granted: 2, denied: 0, running: 2, upToDate: 2 });
    assert.equal(status!.conditions![0]!.type, 'Ready');
  });

  it('writes two objects a sliver, one to delete it, and nothing when idle', async () => {
    await scene.nodes(3);
    const from = scene.operator.writes.length;
    const mine = (kind: string) =>
      scene.operator.writes.slice(from).filter(({ path }) => path.includes(`/namespaces/${scene.ns}/${kind}`));
    await scene.apply({ sliver: { image: 'example.org/web:1', bootScript: 'echo $(HOME) "it\'s"' } });
    await scene.ready();
    assert.equal(mine('resourcecapabilities').length, 3);
    assert.equal(mine('pods').length, 3);
    assert.equal(mine('configmaps').length, 1);
    // what is under way when the slice is Ready comes to an end
    await scene.eventually(async () => {
      const quiet = scene.operator.writes.length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal(scene.operator.writes.length, quiet, JSON.stringify(scene.operator.writes.slice(quiet)));
    });
    await scene.server.client.remove(Resources.Slice, { namespace: scene.ns, name: 'web' });
    await scene.eventually(async () => assert.deepEqual(await scene.all(Resources.Slice), []));
    assert.equal(mine('resourcecapabilities').length, 6);
    assert.equal(mine('pods').length, 3);
    assert.equal(mine('configmaps').length, 2);
    assert.deepEqual(await scene.capabilities(), []);
    assert.deepEqual(await scene.pods(), []);
  });

  it('renews rights when the resources are edited, and replaces the pods that must be', async () => {
    await scene.nodes(2);
    await scene.apply({ resources: { cpu: { shares: 10 }, egress: { limit: '20M' } } });
    await scene.ready();
    const before = (await scene.pods()).map(({ metadata }) => metadata.uid!).sort();
    await scene.edit({ resources: { cpu: { shares: 10 }, egress: { limit: '30M' } } });
    await scene.eventually(async () => {
      for (const { spec, status, metadata } of await scene.capabilities()) {
        assert.equal(spec.resources!.egress!.limit, '30M');
        assert.equal(status!.granted!.observedGeneration, metadata.generation);
      }
    });
    await scene.ready();
    assert.deepEqual((await scene.pods()).map(({ metadata }) => metadata.uid!).sort(), before);
    await scene.edit({ resources: { cpu: { shares: 20 } } });
    await scene.eventually(async () => {
      const uids = (await scene.pods()).map(({ metadata }) => metadata.uid);
      assert.equal(uids.length, 2);
      assert.ok(uids.every((uid) => !before.includes(uid!)));
    });
    await scene.ready();
    for (const { spec } of await scene.capabilities())
      assert.deepEqual(spec.resources, { cpu: { shares: 20 }, egress: { limit: '30M' } });
  });

  it('keeps the old grant and the pod when a renewal is refused', async () => {
    await scene.nodes(1);
    await scene.apply({ resources: { cpu: { shares: 10 } } });
    await scene.ready();
    const [before] = await scene.pods();
    scene.world.decide = () => ({ reason: 'InsufficientShares', message: 'asks 900, 100 free' });
    await scene.edit({ resources: { cpu: { shares: 900 } } });
    const message = await scene.condition('Allocated', 'False', 'Denied');
    assert.match(message, /ResizeDenied: asks 900, 100 free/);
    const [after] = await scene.pods();
    assert.equal(after!.metadata.uid, before!.metadata.uid);
  });

  it('takes the pods of a suspended slice, keeps its rights, and starts it again', async () => {
    await scene.nodes(2);
    await scene.apply();
    await scene.ready();
    const rights = (await scene.capabilities()).map(({ metadata }) => metadata.uid!).sort();
    await scene.edit({ suspended: true });
    await scene.condition('Ready', 'False', 'Suspended');
    await scene.eventually(async () => assert.deepEqual(await scene.pods(), []));
    assert.deepEqual((await scene.capabilities()).map(({ metadata }) => metadata.uid!).sort(), rights);
    await scene.edit({ suspended: false });
    await scene.ready();
    assert.deepEqual((await scene.capabilities()).map(({ metadata }) => metadata.uid!).sort(), rights);
  });

  it('opens and closes a window by the clock', async () => {
    await scene.nodes(1);
    const at = (ms: number) => new Date(Date.now() + scene.offset + ms).toISOString();
    await scene.apply({ window: { start: at(60_000), end: at(120_000) } });
    await scene.condition('Ready', 'False', 'WindowNotOpen');
    // one reconciler says what it waits for, another asks
    await scene.condition('Allocated', 'True', 'AllGranted');
    assert.equal((await scene.capabilities()).length, 1);
    assert.deepEqual(await scene.pods(), []);
    scene.offset += 60_000;
    await scene.edit({ description: 'looked at again' });
    await scene.ready();
    scene.offset += 60_000;
    await scene.edit({ description: 'and again' });
    await scene.condition('Ready', 'False', 'WindowPast');
    await scene.eventually(async () => assert.deepEqual([await scene.capabilities(), await scene.pods()], [[], []]));
  });

  it('makes pods that must not be root where the namespace asks for it', async () => {
    await scene.nodes(1);
    const strict = `${scene.ns}-strict`;
    await scene.namespace(strict, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await scene.apply({}, 'web', strict);
    await scene.condition('Ready', 'True', 'AllRunning', 'web', strict);
    const [pod] = await scene.list<Pod>(Resources.Pod, strict);
    const context = pod!.spec['securityContext'] as Record<string, unknown>;
    assert.equal(context['runAsNonRoot'], true);
    assert.equal(context['runAsUser'], 65_534);
    await ignore(404, scene.server.client.remove(Resources.Slice, { namespace: strict, name: 'web' }));
    await scene.eventually(async () => assert.deepEqual(await scene.list(Resources.Slice, strict), []));
  });
});
