/** The operator against a real API server: from a Slice to its pods, and back to nothing. */
import assert from 'node:assert/strict';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION, LABEL_NODE, rcapName } from '../../crds/names.ts';
import type { ResourceCapability, Slice, SliceNode, SliceSpec } from '../../crds/types.ts';
import { Resources, type KubeObject, type Resource } from '../../kube/resources.ts';
import type { Pod } from '../../operator/kinds.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { startProcess, type Process } from './operator/process.ts';
import { ignore, startWorld, type World } from './operator/world.ts';

describe('the operator', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let offset = 0;
  let serial = 0;
  /** Of this test alone: its namespace, and the label of its nodes. */
  let ns: string;

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server, { offset: () => offset });
  });
  after(async () => {
    await operator.stop();
    await world.stop();
  });
  beforeEach(async () => {
    ns = `op-${++serial}`;
    await namespace(ns);
    world.decide = () => undefined;
    world.stuck = () => undefined;
  });
  afterEach(async () => {
    for (const slice of await all<Slice>(Resources.Slice)) await server.client.remove(Resources.Slice, slice.metadata);
    await eventually(async () => assert.deepEqual(await all(Resources.Slice), []));
    for (const node of await list<KubeObject>(Resources.Node)) await world.removeNode(node.metadata.name);
    for (const node of await list<KubeObject>(Resources.SliceNode)) {
      await server.client.remove(Resources.SliceNode, node.metadata);
    }
  });

  async function namespace(name: string, labels = {}): Promise<void> {
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }

  async function nodes(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${ns}-n${index + 1}`);
    await Promise.all(names.map((name) => world.addNode(name, { of: ns, zone: `z${name.slice(-1)}` })));
    return names;
  }

  async function apply(spec: Partial<SliceSpec> = {}, name = 'web', namespace = ns): Promise<Slice> {
    const placement = { nodeSelector: { of: ns }, ...spec.placement };
    return await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name, namespace },
      spec: { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' }, ...spec, placement },
    });
  }

  async function edit(spec: object, name = 'web'): Promise<void> {
    await server.client.patch(Resources.Slice, { namespace: ns, name }, { spec });
  }

  async function list<T>(resource: Resource, namespace?: string): Promise<T[]> {
    const path = namespace ? `/api/v1/namespaces/${namespace}/${resource.plural}` : `/api/v1/${resource.plural}`;
    const custom = `/apis/${API_VERSION}/${namespace ? `namespaces/${namespace}/` : ''}${resource.plural}`;
    return (await server.client.request<{ items: T[] }>('GET', resource.apiVersion === 'v1' ? path : custom)).items;
  }
  const all = <T>(resource: Resource) => list<T>(resource, ns);
  const capabilities = () => all<ResourceCapability>(Resources.ResourceCapability);
  const pods = () => all<Pod>(Resources.Pod);
  const get = async (name = 'web', namespace = ns) =>
    (await server.client.get<Slice>(Resources.Slice, { namespace, name }))!;

  function eventually(check: () => Promise<void>): Promise<void> {
    return until('what was expected', check, 15_000);
  }

  async function condition(type: string, status: string, reason: string, name = 'web', namespace = ns) {
    await eventually(async () => {
      const slice = await get(name, namespace);
      const { status: is, reason: why, message } = getCondition(slice.status?.conditions, type) ?? {};
      assert.deepEqual([is, why], [status, reason], message);
    });
    return getCondition((await get(name, namespace)).status?.conditions, type)!.message;
  }
  const ready = () => condition('Ready', 'True', 'AllRunning');

  it('makes one right and one pod a node, and says that all run', async () => {
    const names = await nodes(2);
    const slice = await apply({ resources: { cpu: { shares: 100 } } });
    await ready();
    const rights = await capabilities();
    assert.deepEqual(rights.map(({ spec }) => spec.nodeName).sort(), names);
    for (const right of rights) {
      assert.equal(right.metadata.name, rcapName('web', right.spec.nodeName));
      assert.equal(right.metadata.ownerReferences![0]!.uid, slice.metadata.uid);
      assert.equal(right.metadata.labels![LABEL_NODE], right.spec.nodeName);
    }
    const made = await pods();
    assert.deepEqual(
      made.map(({ metadata }) => metadata.name).sort(),
      rights.map(({ metadata }) => metadata.name).sort(),
    );
    const container = (made[0]!.spec['containers'] as { resources: { requests: { cpu: string } } }[])[0]!;
    assert.equal(container.resources.requests.cpu, '390m');
    const { status } = await get();
    assert.deepEqual(status!.nodes, { wanted: 2, granted: 2, denied: 0, running: 2, upToDate: 2 });
    assert.equal(status!.conditions![0]!.type, 'Ready');
  });

  it('writes two objects a sliver, one to delete it, and nothing when idle', async () => {
    await nodes(3);
    const from = operator.writes.length;
    const mine = (kind: string) =>
      operator.writes.slice(from).filter(({ path }) => path.includes(`/namespaces/${ns}/${kind}`));
    await apply({ sliver: { image: 'example.org/web:1', bootScript: 'echo $(HOME) "it\'s"' } });
    await ready();
    assert.equal(mine('resourcecapabilities').length, 3);
    assert.equal(mine('pods').length, 3);
    assert.equal(mine('configmaps').length, 1);
    const quiet = operator.writes.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(operator.writes.length, quiet, JSON.stringify(operator.writes.slice(quiet)));
    await server.client.remove(Resources.Slice, { namespace: ns, name: 'web' });
    await eventually(async () => assert.deepEqual(await all(Resources.Slice), []));
    assert.equal(mine('resourcecapabilities').length, 6);
    assert.equal(mine('pods').length, 3);
    assert.equal(mine('configmaps').length, 2);
    assert.deepEqual(await capabilities(), []);
    assert.deepEqual(await pods(), []);
  });

  it('keeps a SliceNode for every Node, with what it can allocate', async () => {
    const [name] = await nodes(1);
    await eventually(async () => {
      const found = await server.client.get<SliceNode>(Resources.SliceNode, { name: name! });
      assert.equal(found?.status?.node?.allocatable?.cpuMilli, 3900);
      assert.equal(found.metadata.ownerReferences, undefined);
    });
  });

  it('asks another node in place of one that refused, and says so', async () => {
    await nodes(3);
    let refusing: string | undefined;
    world.decide = ({ spec }) => {
      refusing ??= spec.nodeName;
      return spec.nodeName === refusing ? { reason: 'PortInUse', message: 'TCP 80 is not free' } : undefined;
    };
    await apply({ placement: { count: 2 } });
    await ready();
    const rights = await capabilities();
    assert.equal(rights.length, 2);
    assert.ok(!rights.some(({ spec }) => spec.nodeName === refusing));
    assert.ok(operator.events.some(({ reason }) => reason === 'Replaced'));
  });

  it('tells the first few refusals where every node is wanted', async () => {
    const [one] = await nodes(2);
    world.decide = ({ spec }) =>
      spec.nodeName === one ? { reason: 'PortInUse', message: 'TCP 80 is not free' } : undefined;
    await apply();
    const message = await condition('Allocated', 'False', 'Denied');
    assert.match(message, new RegExp(`1 of 2 granted; refused by ${one}: PortInUse: TCP 80 is not free`));
    assert.deepEqual((await get()).status!.denials, [
      { node: one, reason: 'PortInUse', message: 'TCP 80 is not free' },
    ]);
    await eventually(async () => assert.equal((await get()).status!.nodes!.running, 1));
  });

  it('renews rights when the resources are edited, and replaces the pods that must be', async () => {
    await nodes(2);
    await apply({ resources: { cpu: { shares: 10 }, egress: { limit: '20M' } } });
    await ready();
    const before = (await pods()).map(({ metadata }) => metadata.uid!).sort();
    await edit({ resources: { cpu: { shares: 10 }, egress: { limit: '30M' } } });
    await eventually(async () => {
      for (const { spec, status, metadata } of await capabilities()) {
        assert.equal(spec.resources!.egress!.limit, '30M');
        assert.equal(status!.granted!.observedGeneration, metadata.generation);
      }
    });
    await ready();
    assert.deepEqual((await pods()).map(({ metadata }) => metadata.uid!).sort(), before);
    await edit({ resources: { cpu: { shares: 20 } } });
    await eventually(async () => {
      const uids = (await pods()).map(({ metadata }) => metadata.uid);
      assert.equal(uids.length, 2);
      assert.ok(uids.every((uid) => !before.includes(uid!)));
    });
    await ready();
    for (const { spec } of await capabilities())
      assert.deepEqual(spec.resources, { cpu: { shares: 20 }, egress: { limit: '30M' } });
  });

  it('keeps the old grant and the pod when a renewal is refused', async () => {
    await nodes(1);
    await apply({ resources: { cpu: { shares: 10 } } });
    await ready();
    const [before] = await pods();
    world.decide = () => ({ reason: 'InsufficientShares', message: 'asks 900, 100 free' });
    await edit({ resources: { cpu: { shares: 900 } } });
    const message = await condition('Allocated', 'False', 'Denied');
    assert.match(message, /ResizeDenied: asks 900, 100 free/);
    const [after] = await pods();
    assert.equal(after!.metadata.uid, before!.metadata.uid);
  });

  it('takes the pods of a suspended slice, keeps its rights, and starts it again', async () => {
    await nodes(2);
    await apply();
    await ready();
    const rights = (await capabilities()).map(({ metadata }) => metadata.uid!).sort();
    await edit({ suspended: true });
    await condition('Ready', 'False', 'Suspended');
    await eventually(async () => assert.deepEqual(await pods(), []));
    assert.deepEqual((await capabilities()).map(({ metadata }) => metadata.uid!).sort(), rights);
    await edit({ suspended: false });
    await ready();
    assert.deepEqual((await capabilities()).map(({ metadata }) => metadata.uid!).sort(), rights);
  });

  it('restarts nothing when a node comes or goes, and asks anew when one is back', async () => {
    const [one, two] = await nodes(2);
    await apply();
    await ready();
    const [first] = (await pods()).filter(({ spec }) => spec.nodeName === one);
    const three = `${ns}-n3`;
    await world.addNode(three, { of: ns });
    await eventually(async () => assert.equal((await get()).status!.nodes!.running, 3));
    await world.removeNode(two!);
    await eventually(async () => assert.equal((await get()).status!.nodes!.wanted, 2));
    assert.equal((await capabilities()).length, 3);
    const back = await world.addNode(two!, { of: ns });
    await eventually(async () => {
      const right = (await capabilities()).find(({ spec }) => spec.nodeName === two);
      assert.equal(right!.status!.granted!.nodeUID, back.metadata.uid);
      assert.equal((await get()).status!.nodes!.running, 3);
    });
    const [still] = (await pods()).filter(({ spec }) => spec.nodeName === one);
    assert.equal(still!.metadata.uid, first!.metadata.uid);
  });

  it('starts nothing on a cordoned node, and leaves what runs there', async () => {
    const [one, two] = await nodes(2);
    await server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: true } });
    await eventually(async () => {
      const node = await server.client.get<SliceNode>(Resources.SliceNode, { name: two! });
      assert.ok(node?.status?.node);
    });
    await apply();
    await ready();
    assert.deepEqual(
      (await pods()).map(({ spec }) => spec.nodeName),
      [one],
    );
    await server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: false } });
    await eventually(async () => assert.equal((await pods()).length, 2));
    await ready();
    await server.client.patch(Resources.Node, { name: two! }, { spec: { unschedulable: true } });
    await edit({ description: 'looked at again' });
    await eventually(async () => assert.equal((await get()).status!.observedGeneration, 2));
    assert.equal((await pods()).length, 2);
  });

  it('touches no object that has one of its names', async () => {
    const [one, two] = await nodes(2);
    const right = { nodeName: two!, contact: 'somebody@example.org' };
    const theirs: KubeObject[] = [
      {
        apiVersion: API_VERSION,
        kind: 'ResourceCapability',
        metadata: { name: rcapName('web', two!), namespace: ns },
        spec: right,
      } as KubeObject,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'web-boot', namespace: ns },
        data: { mine: 'yes' },
      } as KubeObject,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: rcapName('api', one!), namespace: ns },
        spec: { containers: [{ name: 'c', image: 'x' }] },
      } as KubeObject,
    ];
    const before = [];
    for (const object of theirs) before.push(await server.client.create(object));
    await apply({ sliver: { image: 'x', bootScript: 'true' } });
    const message = await condition('Accepted', 'False', 'NameTaken');
    assert.match(message, /left alone/);
    await apply({}, 'api');
    assert.match(await condition('Accepted', 'False', 'NameTaken', 'api'), /Pod api-/);
    for (const name of ['web', 'api']) await server.client.remove(Resources.Slice, { namespace: ns, name });
    await eventually(async () => assert.deepEqual(await all(Resources.Slice), []));
    const resources = [Resources.ResourceCapability, Resources.ConfigMap, Resources.Pod];
    for (const [index, object] of before.entries()) {
      const after = await server.client.get(resources[index]!, object.metadata);
      assert.equal(after?.metadata.uid, object.metadata.uid);
      assert.deepEqual((after as { spec?: unknown }).spec, (object as { spec?: unknown }).spec);
      assert.equal(after?.metadata.ownerReferences, undefined);
    }
    await server.client.remove(Resources.Pod, before[2]!.metadata);
  });

  it('takes names of 52 characters and namespaces of 63', async () => {
    const long = `${ns}-`.padEnd(63, 'n');
    const name = 'w'.repeat(52);
    await namespace(long);
    await nodes(1);
    await apply({ sliver: { image: 'x', bootScript: 'true' } }, name, long);
    await condition('Ready', 'True', 'AllRunning', name, long);
    await server.client.remove(Resources.Slice, { namespace: long, name });
    await eventually(async () => assert.deepEqual(await list(Resources.Slice, long), []));
    assert.deepEqual(await list(Resources.Pod, long), []);
    await assert.rejects(apply({}, 'w'.repeat(53)), /422/);
  });

  it('says what is wrong with a spec, and makes nothing', async () => {
    await nodes(1);
    await apply({ sliver: { image: 'x', network: 'Host' } }, 'host');
    assert.match(await condition('Accepted', 'False', 'HostNetworkNotAllowed', 'host'), /use Pod/);
    await apply({ resources: { egress: { guarantee: '2M', limit: '1M' } } }, 'egress');
    assert.match(await condition('Accepted', 'False', 'InvalidSpec', 'egress'), /guarantee must not exceed the limit/);
    await apply({ window: { end: '2020-01-01T00:00:00Z' } }, 'past');
    assert.match(await condition('Accepted', 'False', 'WindowPast', 'past'), /2020/);
    await apply({ placement: { count: 7 } }, 'many');
    assert.match(await condition('Allocated', 'False', 'TooFewNodes', 'many'), /asks for 7 nodes, 1 match/);
    assert.deepEqual(
      (await capabilities()).map(({ spec }) => spec.sliceName),
      ['many'],
    );
  });

  it('tells why a pod does not start', async () => {
    const [one] = await nodes(1);
    world.stuck = () => ({ reason: 'ImagePullBackOff', message: 'Back-off pulling image "example.org/none"' });
    await apply();
    const message = await condition('Ready', 'False', 'PodsFailing');
    assert.match(message, new RegExp(`0 of 1 running; ${one}: ImagePullBackOff: Back-off pulling image`));
  });

  it('tells what the API server has against a pod', async () => {
    await nodes(1);
    await apply({ sliver: { image: 'x', workingDir: '/', runtimeClassName: 'Not A Name' } });
    assert.match(
      await condition('Ready', 'False', 'PodsFailing'),
      /op-\d+-n1: pods "web-[0-9a-f]+" is forbidden: .*RuntimeClass/,
    );
  });

  it('opens and closes a window by the clock', async () => {
    await nodes(1);
    const at = (ms: number) => new Date(Date.now() + offset + ms).toISOString();
    await apply({ window: { start: at(60_000), end: at(120_000) } });
    await condition('Ready', 'False', 'WindowNotOpen');
    assert.equal((await capabilities()).length, 1);
    assert.deepEqual(await pods(), []);
    offset += 60_000;
    await edit({ description: 'looked at again' });
    await ready();
    offset += 60_000;
    await edit({ description: 'and again' });
    await condition('Ready', 'False', 'WindowPast');
    await eventually(async () => assert.deepEqual([await capabilities(), await pods()], [[], []]));
  });

  it('releases what a narrower placement no longer asks for', async () => {
    await nodes(3);
    await apply();
    await ready();
    await edit({ placement: { nodeSelector: { of: ns, zone: 'z1' } } });
    await eventually(async () => assert.equal((await capabilities()).length, 1));
    await ready();
    await edit({ placement: { nodeSelector: { of: ns, zone: null }, count: 2 } });
    await eventually(async () => assert.equal((await pods()).length, 2));
    await ready();
  });

  it('makes pods that must not be root where the namespace asks for it', async () => {
    await nodes(1);
    const strict = `${ns}-strict`;
    await namespace(strict, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await apply({}, 'web', strict);
    await condition('Ready', 'True', 'AllRunning', 'web', strict);
    const [pod] = await list<Pod>(Resources.Pod, strict);
    const context = pod!.spec['securityContext'] as Record<string, unknown>;
    assert.equal(context['runAsNonRoot'], true);
    assert.equal(context['runAsUser'], 65_534);
    await ignore(404, server.client.remove(Resources.Slice, { namespace: strict, name: 'web' }));
    await eventually(async () => assert.deepEqual(await list(Resources.Slice, strict), []));
  });

  it('says of a right that nobody answers why', async () => {
    const [one] = await nodes(1);
    const create = (name: string, nodeName: string) =>
      server.client.create<ResourceCapability>({
        apiVersion: API_VERSION,
        kind: 'ResourceCapability',
        metadata: { name, namespace: ns },
        spec: { nodeName, contact: 'ops@example.org' },
      });
    const from = operator.events.length;
    await create('astray', 'node-that-is-not');
    await create('unlabelled', one!);
    await eventually(async () => {
      const reasons = operator.events.slice(from).map(({ reason }) => reason);
      assert.ok(reasons.includes('UnknownNode') && reasons.includes('NoNodeLabel'), reasons.join());
    });
    for (const right of await capabilities()) {
      await server.client.remove(Resources.ResourceCapability, right.metadata);
    }
  });

  it('starts nothing that would mount somebody else’s object, however long it is there', async () => {
    await nodes(1);
    const name = 'web-boot';
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: ns } };
    await server.client.create<KubeObject>(theirs);
    await apply({ sliver: { image: 'x', bootScript: 'true' } });
    await condition('Accepted', 'False', 'NameTaken');
    await eventually(async () => assert.equal((await get()).status!.nodes!.granted, 1));
    const from = operator.events.length;
    for (let i = 1; i <= 3; i++) {
      offset += 31_000;
      await edit({ description: `looked at again, ${i}` });
      await eventually(async () => assert.equal((await get()).status!.observedGeneration, i + 1));
      await condition('Accepted', 'False', 'NameTaken');
    }
    assert.deepEqual(await pods(), []);
    assert.ok(!operator.events.slice(from).some(({ reason }) => reason === 'Accepted'));
    await server.client.remove(Resources.ConfigMap, theirs.metadata);
    offset += 31_000;
    await edit({ description: 'and at last' });
    await ready();
  });
});
