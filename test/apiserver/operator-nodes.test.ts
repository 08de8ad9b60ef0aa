/** The operator against a real API server: which nodes it asks, and what becomes of them. */
import assert from 'node:assert/strict';
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability, SliceNode } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { Scene } from './operator/scene.ts';

describe('the operator, of nodes', () => {
  const scene = new Scene();
  before(() => scene.start());
  after(() => scene.stop());
  beforeEach(() => scene.open());
  afterEach(() => scene.clear());

  it('keeps a SliceNode for every Node, with what it can allocate', async () => {
    const [name] = await scene.nodes(1);
    await scene.eventually(async () => {
      const found = await scene.server.client.get<SliceNode>(Resources.SliceNode, { name: name! });
      assert.equal(found?.status?.node?.allocatable?.cpuMilli, 3900);
      assert.equal(found.metadata.ownerReferences, undefined);
    });
  });

  it('asks another node in place of one that refused, and says so', async () => {
    await scene.nodes(3);
    let refusing: string | undefined;
    scene.world.decide = ({ spec }) => {
      refusing ??= spec.nodeName;
      return spec.nodeName === refusing ? { reason: 'PortInUse', message: 'TCP 80 is not free' } : undefined;
    };
    await scene.apply({ placement: { count: 2 } });
    await scene.ready();
    const rights = await scene.capabilities();
    assert.equal(rights.length, 2);
    assert.ok(!rights.some(({ spec }) => spec.nodeName === refusing));
    assert.ok(scene.operator.events.some(({ reason }) => reason === 'Replaced'));
  });

  it('asks every node until one grants, where a Slice wants one and all others refuse', async () => {
    const names = await scene.nodes(4);
    const asked = new Set<string>();
    scene.world.decide = ({ spec }) => {
      asked.add(spec.nodeName);
      return asked.size < names.length ? { reason: 'PrivilegeNotOffered', message: 'RawSockets' } : undefined;
    };
    await scene.apply({ placement: { count: 1 } });
    // each further refusal waits longer
    for (const count of [2, 3, 4]) {
      await scene.eventually(() => {
        if (asked.size < count) scene.offset += 1_000;
        assert.ok(asked.size >= count, `${asked.size} asked`);
        return Promise.resolve();
      });
    }
    await scene.ready();
    await scene.eventually(async () => assert.equal((await scene.capabilities()).length, 1));
  });

  it('restarts nothing when a node comes or goes, and asks anew when one is back', async () => {
    const [one, two] = await scene.nodes(2);
    await scene.apply();
    await scene.ready();
    const [first] = (await scene.pods()).filter(({ spec }) => spec.nodeName === one);
    const three = `${scene.ns}-n3`;
    await scene.world.addNode(three, { of: scene.ns });
    await scene.eventually(async () => assert.equal((await scene.get()).status!.nodes!.running, 3));
    await scene.world.removeNode(two!);
    await scene.eventually(async () => assert.equal((await scene.get()).status!.nodes!.wanted, 2));
    assert.equal((await scene.capabilities()).length, 3);
    const back = await scene.world.addNode(two!, { of: scene.ns });
    await scene.eventually(async () => {
      const right = (await scene.capabilities()).find(({ spec }) => spec.nodeName === two);
      assert.equal(right!.status!.granted!.nodeUID, back.metadata.uid);
      assert.equal((await scene.get()).status!.nodes!.running, 3);
    });
    const [still] = (await scene.pods()).filter(({ spec }) => spec.nodeName === one);
    assert.equal(still!.metadata.uid, first!.metadata.uid);
  });

  it('starts nothing on a cordoned node, and leaves what runs there', async () => {
    const [one, two] = await scene.nodes(2);
    await scene.server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: true } });
    await scene.eventually(async () => {
      const node = await scene.server.client.get<SliceNode>(Resources.SliceNode, { name: two! });
      assert.ok(node?.status?.node);
    });
    await scene.apply();
    await scene.ready();
    assert.deepEqual(
      (await scene.pods()).map(({ spec }) => spec.nodeName),
      [one],
    );
    await scene.server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: false } });
    await scene.eventually(async () => assert.equal((await scene.pods()).length, 2));
    await scene.ready();
    await scene.server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: true } });
    await scene.edit({ description: 'looked at again' });
    await scene.eventually(async () => assert.equal((await scene.get()).status!.observedGeneration, 2));
    assert.equal((await scene.pods()).length, 2);
  });

  it('releases what a narrower placement no longer asks for', async () => {
    await scene.nodes(3);
    await scene.apply();
    await scene.ready();
    await scene.edit({ placement: { nodeSelector: { of: scene.ns, zone: 'z1' } } });
    await scene.eventually(async () => assert.equal((await scene.capabilities()).length, 1));
    await scene.ready();
    await scene.edit({ placement: { nodeSelector: { of: scene.ns, zone: null }, count: 2 } });
    await scene.eventually(async () => assert.equal((await scene.pods()).length, 2));
    await scene.ready();
  });

  it('says of a right that nobody answers why', async () => {
    const [one] = await scene.nodes(1);
    const create = (name: string, nodeName: string) =>
      scene.server.client.create<ResourceCapability>({
        apiVersion: API_VERSION,
        kind: 'ResourceCapability',
        metadata: { name, namespace: scene.ns },
        spec: { nodeName, contact: 'ops@example.org' },
      });
    const from = scene.operator.events.length;
    await create('astray', 'node-that-is-not');
    await create('unlabelled', one!);
    await scene.eventually(async () => {
      const reasons = scene.operator.events.slice(from).map(({ reason }) => reason);
      assert.ok(reasons.includes('UnknownNode') && reasons.includes('NoNodeLabel'), reasons.join());
    });
    for (const right of await scene.capabilities()) {
      await scene.server.client.remove(Resources.ResourceCapability, right.metadata);
    }
  });
});
