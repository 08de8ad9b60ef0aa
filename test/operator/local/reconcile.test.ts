/** The operator's pass over the requests of one node: what is written, what is told, how much at a time. */
import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { LABEL_LOCAL } from '../../../crds/names.ts';
import type { LocalRefusal, LocalRequest, ResourceCapability, SliceNode } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { ApiError } from '../../../kube/errors.ts';
import { silentLog } from '../../../kube/log.ts';
import { type KubeObject, keyOf, type ObjectRef, type Resource } from '../../../kube/resources.ts';
import { MutableStore } from '../../../kube/store.ts';
import { countLocal } from '../../../operator/local/metrics.ts';
import { localReconciler } from '../../../operator/local/reconcile.ts';
import { type Stores, watched } from '../../../operator/stores.ts';
import { aNode, aPod, aRight, aSlice, granted } from '../slice/objects.ts';

const slice = aSlice();
const by = granted(aRight(slice, 'n1', { resources: { privileges: ['Capabilities'] } }));
const pod = aPod(slice, by);

function request(id: string, more: Partial<LocalRequest> = {}): LocalRequest {
  const { name: right, uid: rightUID = '' } = by.metadata;
  return { id, operation: 'Acquire', namespace: 'site', right, rightUID, name: id, spec: '{}', ...more };
}

describe('the local controller', () => {
  let objects: Map<string, KubeObject>;
  let created: string[];
  let told: LocalRefusal[][];
  let fail: Error | undefined;
  let now: number;
  let node: ReturnType<typeof aNode>;
  let sliceNode: SliceNode;
  let stores: Stores;
  let registry: Registry;
  let reconcile: ReturnType<typeof localReconciler>;

  beforeEach(() => {
    objects = new Map([by, pod].map((one: KubeObject) => [`${one.kind} ${keyOf(one)}`, one]));
    [created, told, fail, now, node] = [[], [], undefined, 1_000, aNode('n1')];
    registry = new Registry();
    const all = Object.entries(watched('slice-operator')).map(([kind, { indexes }]) => [
      kind,
      new MutableStore(indexes as never),
    ]);
    stores = Object.fromEntries(all) as Stores;
    sliceNode = {
      apiVersion: 'slice-operator.io/v1alpha1',
      kind: 'SliceNode',
      metadata: { name: 'n1', resourceVersion: '1' },
      spec: { privileges: ['Capabilities'] },
    };
    start();
  });

  /** As a process that begins to lead. */
  function start(): void {
    registry.clear();
    const client = {
      get: async ({ kind }: Resource, { namespace, name }: ObjectRef) => objects.get(`${kind} ${namespace}/${name}`),
      async create(object: ResourceCapability) {
        if (fail) throw fail;
        created.push(object.metadata.labels![LABEL_LOCAL]!);
        objects.set(`${object.kind} ${keyOf(object)}`, object);
      },
      async apply(object: SliceNode) {
        told.push(object.status!.refusals!);
        put({ refusals: object.status!.refusals! });
      },
    } as unknown as ApiClient;
    const nodes = () => new Map([['n1', node]]);
    const count = countLocal(registry);
    reconcile = localReconciler({ client, stores, nodes, count, monotonic: () => now, log: silentLog() });
  }

  function put(status: SliceNode['status']): void {
    const resourceVersion = String(Number(sliceNode.metadata.resourceVersion) + 1);
    sliceNode = {
      ...sliceNode,
      metadata: { ...sliceNode.metadata, resourceVersion },
      status: { ...sliceNode.status, ...status },
    };
    (stores.sliceNodes as MutableStore<SliceNode>).put(sliceNode);
  }

  const pass = () => reconcile('n1', new AbortController().signal);
  const reasons = () => told.at(-1)?.map(({ id, reason }) => `${id} ${reason}`);

  it('does each request once, and says nothing of what it did', async () => {
    put({ requests: [request('a'), request('b')] });
    await pass();
    objects.delete([...objects.keys()].at(-1)!);
    await pass();
    assert.deepEqual([created, told], [['web', 'web'], []]);
  });

  it('tells why not, until the request is taken back', async () => {
    put({ requests: [request('a', { rightUID: 'another' }), request('b')] });
    await pass();
    await pass();
    assert.deepEqual([created.length, told.length, reasons()], [1, 1, ['a NotPrivileged']]);
    put({ requests: [] });
    await pass();
    assert.deepEqual(told.at(-1), []);
    await pass();
    assert.equal(told.length, 2);
  });

  it('lets the API server have the last word', async () => {
    for (const [status, reason, expected] of [
      [403, 'Forbidden', 'NotAllowed'],
      [404, 'NotFound', 'NotAllowed'],
      [422, 'Invalid', 'Invalid'],
    ] as const) {
      fail = new ApiError('POST /x', status, JSON.stringify({ reason, message: 'exceeded quota: slices' }));
      put({ requests: [request(`x${status}`)] });
      now += 1_000;
      await pass();
      assert.deepEqual(reasons(), [`x${status} ${expected}`]);
      assert.equal(told.at(-1)![0]!.message, `the API server refuses it: ${reason}: exceeded quota: slices`);
    }
  });

  it('tries again what failed for another reason', async () => {
    fail = new ApiError('POST /x', 500, '');
    put({ requests: [request('a')] });
    await assert.rejects(pass());
    fail = undefined;
    now += 1_000;
    await pass();
    assert.deepEqual([created.length, told], [1, []]);
  });

  it('takes the word of the leader before it', async () => {
    put({ requests: [request('a', { right: 'nothing' })] });
    await pass();
    start();
    objects.set('ResourceCapability site/nothing', by);
    await pass();
    assert.deepEqual([created, told.length], [[], 1]);
  });

  it('does so much at once for one node, and so much a second', async () => {
    const done: number[] = [];
    for (let batch = 0; batch < 3; batch++) {
      put({ requests: Array.from({ length: 16 }, (_, n) => request(`r${batch}-${n}`)) });
      await pass();
      // whoever takes his requests back has no more turns by that
      put({ requests: [] });
      await pass();
      done.push(created.length);
    }
    assert.deepEqual(done, [16, 32, 32]);
    put({ requests: Array.from({ length: 16 }, (_, n) => request(`last-${n}`)) });
    assert.deepEqual(await pass(), { kind: 'after', ms: 50 });
    now += 500;
    await pass();
    assert.equal(created.length, 42);
  });

  it('does nothing for a node that is lost, and believes no policy that the node wrote itself', async () => {
    node = aNode('n1', { lost: 'has sent no heartbeat' });
    put({ requests: [request('a')] });
    await pass();
    assert.deepEqual(reasons(), ['a NotAllowed']);
    node = aNode('n1');
    sliceNode = { ...sliceNode, spec: {} };
    const defaults = { policies: ['forged'], policy: { privileges: ['Capabilities' as const] } };
    put({ requests: [request('b')], defaults });
    now += 1_000;
    await pass();
    assert.deepEqual([reasons(), created], [['b PrivilegeNotOffered'], []]);
  });

  it('takes no name for an address', async () => {
    const names = ['../../secrets', '', 'a/b', 'A', 'x'.repeat(64)];
    put({ requests: names.slice(0, 4).map((right, n) => request(`r${n}`, { right })) });
    await pass();
    put({ requests: [request('n', { namespace: '..' }), request('m', { operation: 'Release', name: names[4]! })] });
    now += 1_000;
    await pass();
    assert.deepEqual(new Set(told.flat().map(({ reason }) => reason)), new Set(['Invalid']));
    const { values } = await registry.getSingleMetric('slice_operator_local_requests_total')!.get();
    const counted = values
      .filter(({ labels }) => labels['result'] === 'Invalid')
      .reduce((sum, { value }) => sum + value, 0);
    assert.equal(counted, 6);
  });
});
