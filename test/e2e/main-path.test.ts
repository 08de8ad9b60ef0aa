/** A slice from its apply to its end on a real cluster: what users see of it, and what the kernel keeps of its promises. */
import assert from 'node:assert/strict';
import { LABEL_TEMPLATE } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { Journal } from './journal.ts';
import { classOfPod, type Footprint, heldOf, tracesOf } from './kernel.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import {
  conditionOf,
  dropNamespace,
  footprintsOf,
  freshNamespace,
  type Pod,
  podsOf,
  rcapsOf,
  readSlice,
  sliceOf,
  type Sliver,
  sliversOf,
  uidsOf,
  whenCondition,
  whenNoNamespace,
  whenReady,
} from './slices.ts';

const NAMESPACE = 'main-path';
const MI = 1024 * 1024;
const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

const isUp = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');

describe('a slice', () => {
  let product: Product;
  let slice: Slice;
  let slivers: Sliver[];

  const inSliver = ({ pod }: Sliver, ...argv: string[]): Promise<string> =>
    product.kubectl('exec', '-n', NAMESPACE, pod.metadata.name, '--', ...argv);
  const change = async (spec: object): Promise<void> => {
    const patch = JSON.stringify({ spec });
    await product.kubectl('patch', 'slice', '-n', NAMESPACE, slice.metadata.name, '--type=merge', '-p', patch);
  };

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    slice = sliceOf(product, NAMESPACE, 'whole', {
      resources: {
        cpu: { shares: 100, excess: 'None' },
        egress: { guarantee: '5M', limit: '20M' },
        memory: '64Mi',
        processes: 50,
      },
    });
  });
  after(() => dropNamespace(product, NAMESPACE));

  it('becomes a sliver on every node', async () => {
    await product.apply(slice);
    await product.kubectl('wait', '-n', NAMESPACE, '--for=condition=Ready', 'slice/whole', '--timeout=350s');
    slivers = await sliversOf(product, slice);
    assert.deepEqual(
      slivers.map(({ node, pod }) => [node, pod.spec.nodeName, pod.status?.phase]),
      NODES.map((node) => [node, node, 'Running']),
    );
  });

  it('is held by each kernel to what was promised', async () => {
    for (const { node, pod } of slivers) {
      const { weight, quota, memory, processes } = heldOf(product.cluster, node, pod.metadata.uid!);
      assert.ok(
        weight === 102 || weight % 100 === 0,
        `cpu.shares on a node of one core, or a scaled weight: ${weight}`,
      );
      assert.deepEqual({ quota, memory, processes }, { quota: 0.1, memory: 64 * MI, processes: 50 });
      const { rate, ceil } = (await classOfPod(product.cluster, node, pod.status!.podIP!))!;
      assert.deepEqual({ rate, ceil }, { rate: 5e6, ceil: 20e6 });
    }
  });

  it('tells its slivers what they have, in files that they can not write', async () => {
    for (const sliver of slivers) {
      assert.equal(await inSliver(sliver, 'cat', '/run/slice/slice', '/run/slice/node'), `whole\n${sliver.node}\n`);
      assert.equal(
        await inSliver(sliver, 'cat', '/run/slice/capability'),
        `${NAMESPACE}/${sliver.rcap.metadata.name}\n`,
      );
      const rspec = JSON.parse(await inSliver(sliver, 'cat', '/run/slice/rspec.json')) as Slice['spec']['resources'];
      assert.deepEqual(rspec?.cpu, { shares: 100, excess: 'None' });
      await assert.rejects(inSliver(sliver, 'touch', '/run/slice/mine'), /Read-only file system/);
    }
  });

  it('runs in pods that the profile "restricted" of Pod Security admits, and that hold nothing', async () => {
    for (const { pod } of slivers) {
      const { hostNetwork, hostPID, hostIPC, automountServiceAccountToken, securityContext, containers } = pod.spec;
      assert.deepEqual([hostNetwork, hostPID, hostIPC].filter(Boolean), []);
      assert.equal(automountServiceAccountToken, false);
      assert.equal(securityContext['runAsNonRoot'], true);
      assert.deepEqual(securityContext['seccompProfile'], { type: 'RuntimeDefault' });
      assert.equal(containers[0]!.securityContext['allowPrivilegeEscalation'], false);
      assert.deepEqual(containers[0]!.securityContext['capabilities'], { drop: ['ALL'] });
      assert.deepEqual(
        pod.spec.volumes.flatMap(Object.keys).filter((key) => key !== 'name'),
        ['csi'],
      );
    }
    const status = await inSliver(slivers[0]!, 'cat', '/proc/1/status');
    for (const line of [/^Cap(Prm|Eff|Bnd):\t0+$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^Uid:\t65534\t/m]) {
      assert.match(status, line);
    }
    await assert.rejects(inSliver(slivers[0]!, 'ls', '/var/run/secrets/kubernetes.io'), /No such file/);
  });

  it('reads well', async () => {
    const explained = await product.kubectl('explain', 'slice.spec.resources.egress');
    assert.match(explained, /guarantee[\s\S]*always send, in bits\/s[\s\S]*limit[\s\S]*never exceeds, in bits\/s/);
    const table = await product.kubectl('get', 'slices,rcap,sln', '-n', NAMESPACE, '-o', 'wide');
    assert.match(table, /slice.slice-operator.io\/whole +True +2 +2 +0 +2 +2 +e2e@example.org +2 of 2 running/);
    for (const node of NODES) assert.match(table, new RegExp(`${node} +whole +True +True +100`));
    for (const node of NODES) assert.match(table, new RegExp(`slicenode.slice-operator.io/${node} +True`));
    for (const reason of ['AllRunning', 'Accepted', 'AllGranted']) {
      let described = '';
      // Events come after what they tell of
      await product.until(`an Event of ${reason}`, async () => {
        described = await product.kubectl('describe', 'slice', '-n', NAMESPACE, 'whole');
        return new RegExp(`Normal +${reason} .*slice-operator`).test(described);
      });
      assert.match(described, new RegExp(`Reason: +${reason}\\n +Status: +True`));
    }
  });

  it('is given another rate under the running slivers', async () => {
    await change({ resources: { egress: { guarantee: '6M', limit: '7M' } } });
    await whenReady(product, slice);
    for (const { node, pod } of slivers) {
      await product.until('the class to have the new rate', async () => {
        const held = await classOfPod(product.cluster, node, pod.status!.podIP!);
        return held?.rate === 6e6 && held.ceil === 7e6;
      });
    }
    assert.deepEqual(uidsOf(await podsOf(product, slice)), uidsOf(slivers.map(({ pod }) => pod)));
  });

  it('is updated one sliver at a time', async () => {
    const former = slivers[0]!.pod.metadata.labels![LABEL_TEMPLATE];
    let fewestUp: number = NODES.length;
    const pods = new Journal<Pod>(product, Resources.Pod, slice, (all) => {
      fewestUp = Math.min(fewestUp, all.filter(isUp).length);
    });
    await pods.whenSynced();
    fewestUp = NODES.length; // while it was listing, it knew of fewer
    await change({ update: { maxUnavailable: 1 }, sliver: { env: [{ name: 'VERSION', value: '2' }] } });
    await whenReady(product, slice);
    await product.until('the journal to hear of all', () => Promise.resolve(pods.deleted.size >= NODES.length));
    await pods.stop();
    assert.equal(fewestUp, NODES.length - 1);
    assert.deepEqual(pods.counts(), { created: 4, deleted: 2 });
    const updated = await sliversOf(product, slice);
    assert.ok(updated.every(({ pod }) => pod.metadata.labels![LABEL_TEMPLATE] !== former));
    assert.deepEqual(uidsOf(updated.map(({ rcap }) => rcap)), uidsOf(slivers.map(({ rcap }) => rcap)));
    slivers = updated;
  });

  it('keeps its rights and loses its pods while it is suspended', async () => {
    const rights = uidsOf(await rcapsOf(product, slice));
    await change({ suspended: true });
    await whenCondition(product, slice, 'Ready', ({ reason }) => reason === 'Suspended');
    await product.until('the pods to be gone', async () => (await podsOf(product, slice)).length === 0);
    assert.equal((await readSlice(product, slice))?.status?.nodes?.granted, NODES.length);
    await change({ suspended: false });
    await whenReady(product, slice);
    assert.deepEqual(uidsOf(await rcapsOf(product, slice)), rights);
    slivers = await sliversOf(product, slice);
  });

  it('runs in its window alone', async () => {
    const timed = sliceOf(product, NAMESPACE, 'timed', { window: { start: later(30_000) } });
    await product.apply(timed);
    await whenCondition(product, timed, 'Allocated', ({ status }) => status === 'True');
    await whenCondition(product, timed, 'Ready', ({ reason }) => reason === 'WindowNotOpen');
    assert.deepEqual(await podsOf(product, timed), []);
    await whenReady(product, timed);
    const traces = await footprintsOf(product, await sliversOf(product, timed));
    await product.apply({ ...timed, spec: { ...timed.spec, window: { end: later(10_000) } } });
    await whenCondition(product, timed, 'Ready', ({ reason }) => /^Window(Closed|Past)$/.test(reason));
    await product.until('nothing to be left', async () => (await tracesOf(product.cluster, traces)).length === 0);
    await product.until('the pods to be gone', async () => (await podsOf(product, timed)).length === 0);
    assert.equal((await conditionOf(product, slice, 'Ready'))?.status, 'True');
  });

  it('leaves nothing on any node when it is deleted', async () => {
    let footprints: Footprint[] = [];
    await product.until('every sliver to have a class', async () => {
      footprints = await footprintsOf(product, slivers);
      return footprints.filter(({ classId }) => classId !== undefined).length === NODES.length;
    });
    assert.ok(
      (await tracesOf(product.cluster, footprints)).length >= NODES.length * 5,
      'the traces can be seen at all',
    );
    await product.kubectl('delete', 'slice', '-n', NAMESPACE, 'whole', '--timeout=350s');
    assert.deepEqual([...(await podsOf(product, slice)), ...(await rcapsOf(product, slice))], []);
    await product.until('nothing to be left', async () => (await tracesOf(product.cluster, footprints)).length === 0);
  });

  it('leaves nothing on any node when its namespace is deleted with all that is in it', async () => {
    const doomed = 'main-path-doomed';
    await freshNamespace(product, doomed);
    const last = sliceOf(product, doomed, 'last', { sliver: { terminationGracePeriodSeconds: 1 } });
    await product.apply(last);
    await whenReady(product, last);
    const footprints = await footprintsOf(product, await sliversOf(product, last));
    await product.kubectl('delete', 'namespace', doomed, '--wait=false');
    await whenNoNamespace(product, doomed);
    await product.until('nothing to be left', async () => (await tracesOf(product.cluster, footprints)).length === 0);
  });
});
