/** The operator against a real API server: what stands in a Slice’s way, and what it says of that. */
import assert from 'node:assert/strict';
import { API_VERSION, rcapName } from '../../crds/names.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { Scene } from './operator/scene.ts';

describe('the operator, of what can’t be', () => {
  const scene = new Scene();
  before(() => scene.start());
  after(() => scene.stop());
  beforeEach(() => scene.open());
  afterEach(() => scene.clear());

  it('tells the first few refusals where every node is wanted', async () => {
    const [one] = await scene.nodes(2);
    scene.world.decide = ({ spec }) =>
      spec.nodeName === one ? { reason: 'PortInUse', message: 'TCP 80 is not free' } : undefined;
    await scene.apply();
    const message = await scene.condition('Allocated', 'False', 'Denied');
    assert.match(message, new RegExp(`1 of 2 granted; refused by ${one}: PortInUse: TCP 80 is not free`));
    assert.deepEqual((await scene.get()).status!.denials, [
      { node: one, reason: 'PortInUse', message: 'TCP 80 is not free' },
    ]);
    await scene.eventually(async () => assert.equal((await scene.get()).status!.nodes!.running, 1));
  });

  it('touches no object that has one of its names', async () => {
    const [one, two] = await scene.nodes(2);
    const right = { nodeName: two!, contact: 'somebody@example.org' };
    const theirs: KubeObject[] = [
      {
        apiVersion: API_VERSION,
        kind: 'ResourceCapability',
        metadata: { name: rcapName('web', two!), namespace: scene.ns },
        spec: right,
      } as KubeObject,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'web-boot', namespace: scene.ns },
        data: { mine: 'yes' },
      } as KubeObject,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: rcapName('api', one!), namespace: scene.ns },
        spec: { containers: [{ name: 'c', image: 'x' }] },
      } as KubeObject,
    ];
    const before = [];
    for (const object of theirs) before.push(await scene.server.client.create(object));
    await scene.apply({ sliver: { image: 'x', bootScript: 'true' } });
    const message = await scene.condition('Accepted', 'False', 'NameTaken');
    assert.match(message, /left alone/);
    await scene.apply({}, 'api');
    assert.match(await scene.condition('Accepted', 'False', 'NameTaken', 'api'), /Pod api-/);
    for (const name of ['web', 'api']) await scene.server.client.remove(Resources.Slice, { namespace: scene.ns, name });
    await scene.eventually(async () => assert.deepEqual(await scene.all(Resources.Slice), []));
    const resources = [Resources.ResourceCapability, Resources.ConfigMap, Resources.Pod];
    for (const [index, object] of before.entries()) {
      const after = await scene.server.client.get(resources[index]!, object.metadata);
      assert.equal(after?.metadata.uid, object.metadata.uid);
      assert.deepEqual((after as { spec?: unknown }).spec, (object as { spec?: unknown }).spec);
      assert.equal(after?.metadata.ownerReferences, undefined);
    }
    await scene.server.client.remove(Resources.Pod, before[2]!.metadata);
  });

  it('takes names of 52 characters and namespaces of 63', async () => {
    const long = `${scene.ns}-`.padEnd(63, 'n');
    const name = 'w'.repeat(52);
    await scene.namespace(long);
    await scene.nodes(1);
    await scene.apply({ sliver: { image: 'x', bootScript: 'true' } }, name, long);
    await scene.condition('Ready', 'True', 'AllRunning', name, long);
    await scene.server.client.remove(Resources.Slice, { namespace: long, name });
    await scene.eventually(async () => assert.deepEqual(await scene.list(Resources.Slice, long), []));
    assert.deepEqual(await scene.list(Resources.Pod, long), []);
    await assert.rejects(scene.apply({}, 'w'.repeat(53)), /422/);
  });

  it('says what is wrong with a spec, and makes nothing', async () => {
    await scene.nodes(1);
    await scene.apply({ sliver: { image: 'x', network: 'Host' } }, 'host');
    assert.match(await scene.condition('Accepted', 'False', 'HostNetworkNotAllowed', 'host'), /use Pod/);
    await scene.apply({ resources: { egress: { guarantee: '2M', limit: '1M' } } }, 'egress');
    assert.match(
      await scene.condition('Accepted', 'False', 'InvalidSpec', 'egress'),
      /guarantee must not exceed the limit/,
    );
    await scene.apply({ window: { end: '2020-01-01T00:00:00Z' } }, 'past');
    assert.match(await scene.condition('Accepted', 'False', 'WindowPast', 'past'), /2020/);
    await scene.apply({ placement: { count: 7 } }, 'many');
    assert.match(await scene.condition('Allocated', 'False', 'TooFewNodes', 'many'), /asks for 7 nodes, 1 match/);
    assert.deepEqual(
      (await scene.capabilities()).map(({ spec }) => spec.sliceName),
      ['many'],
    );
  });

  it('tells why a pod does not start', async () => {
    const [one] = await scene.nodes(1);
    scene.world.stuck = () => ({ reason: 'ImagePullBackOff', message: 'Back-off pulling image "example.org/none"' });
    await scene.apply();
    const message = await scene.condition('Ready', 'False', 'PodsFailing');
    assert.match(message, new RegExp(`0 of 1 running; ${one}: ImagePullBackOff: Back-off pulling image`));
  });

  it('tells what the API server has against a pod', async () => {
    await scene.nodes(1);
    await scene.apply({ sliver: { image: 'x', workingDir: '/', runtimeClassName: 'Not A Name' } });
    assert.match(
      await scene.condition('Ready', 'False', 'PodsFailing'),
      /op-\d+-n1: pods "web-[0-9a-f]+" is forbidden: .*RuntimeClass/,
    );
  });

  it('starts nothing that would mount somebody else’s object, however long it is there', async () => {
    await scene.nodes(1);
    const name = 'web-boot';
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: scene.ns } };
    await scene.server.client.create<KubeObject>(theirs);
    await scene.apply({ sliver: { image: 'x', bootScript: 'true' } });
    await scene.condition('Accepted', 'False', 'NameTaken');
    await scene.eventually(async () => assert.equal((await scene.get()).status!.nodes!.granted, 1));
    const from = scene.operator.events.length;
    for (let i = 1; i <= 3; i++) {
      scene.offset += 31_000;
      await scene.edit({ description: `looked at again, ${i}` });
      await scene.eventually(async () => assert.equal((await scene.get()).status!.observedGeneration, i + 1));
      await scene.condition('Accepted', 'False', 'NameTaken');
    }
    assert.deepEqual(await scene.pods(), []);
    assert.ok(!scene.operator.events.slice(from).some(({ reason }) => reason === 'Accepted'));
    await scene.server.client.remove(Resources.ConfigMap, theirs.metadata);
    scene.offset += 31_000;
    await scene.edit({ description: 'and at last' });
    await scene.ready();
  });
});
