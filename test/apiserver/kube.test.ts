/** kube/ against a real API server: what only that can tell, and what a fake one might have got wrong. */
import assert from 'node:assert/strict';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists, isStatus } from '../../kube/errors.ts';
import { EventRecorder } from '../../kube/events.ts';
import { startInformer, type Informer } from '../../kube/informer.ts';
import { Leader, type LeaseObject } from '../../kube/leader.ts';
import { silentLog } from '../../kube/log.ts';
import { KubeOperator, ResourceEventType, type ResourceEvent } from '../../kube/operator.ts';
import { resourcePath, Resources, type KubeObject } from '../../kube/resources.ts';
import { capability } from '../crds/nodes.ts';
import { eventually } from '../kube/eventually.ts';
import { apiServer, type ApiServer } from './fixture.ts';

const NAMESPACE = 'kube-test';
const FINALIZER = 'slice-operator.io/test';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const map = (name: string, data: Record<string, string> = {}, more = {}): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: NAMESPACE, name, ...more },
  data,
});
const ref = (name: string) => ({ namespace: NAMESPACE, name });

describe('kube on a real API server', () => {
  let server: ApiServer;
  let client: ApiClient;
  before(async () => {
    server = await apiServer();
    client = server.client;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
    await client.create(namespace).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  });

  describe('an informer', () => {
    let informer: Informer<ConfigMap>;
    const options = { resource: Resources.ConfigMap, namespace: NAMESPACE, log: silentLog() };
    beforeEach(async () => {
      informer = startInformer<ConfigMap>({ ...options, client });
      await informer.whenSynced();
    });
    afterEach(() => informer.stop());

    it('follows what is made, changed and removed', async () => {
      const { uid } = (await client.create(map('a'))).metadata;
      await eventually('it to be there', () => informer.store.get(`${NAMESPACE}/a`)?.metadata.uid === uid);
      await client.patch(Resources.ConfigMap, ref('a'), { data: { x: '1' } });
      await eventually('the change', () => informer.store.get(`${NAMESPACE}/a`)?.data?.['x'] === '1');
      await client.remove(Resources.ConfigMap, { ...ref('a'), uid });
      await eventually('the end', () => informer.store.get(`${NAMESPACE}/a`) === undefined);
    });

    it('knows what a new one knows after the server was killed and came back', async () => {
      for (const name of ['kept', 'changed', 'removed']) await client.create(map(name));
      await eventually('all three', () => informer.store.list().length >= 3);
      await server.kill();
      await server.start();
      await client.patch(Resources.ConfigMap, ref('changed'), { data: { x: '1' } });
      await client.remove(Resources.ConfigMap, ref('removed'));
      await client.create(map('made'));
      const fresh = startInformer<ConfigMap>({ ...options, client });
      await fresh.whenSynced();
      const all = ({ store }: Informer<ConfigMap>) => new Map(store.list().map((one) => [one.metadata.name, one]));
      await eventually('the last write', () => informer.store.get(`${NAMESPACE}/made`) !== undefined);
      await eventually('the first write', () => informer.store.get(`${NAMESPACE}/changed`)?.data?.['x'] === '1');
      assert.deepEqual(all(informer), all(fresh));
      assert.ok(!all(fresh).has('removed'));
      await fresh.stop();
    });
  });

  it('lets one of two lead, and the other when it has gone', async () => {
    const of = (identity: string) =>
      new Leader({ client, namespace: NAMESPACE, name: 'lease', identity, log: silentLog(), retryMs: 50 });
    const [first, second] = [of('first'), of('second')];
    const firstRun = first.run();
    await first.elected;
    const secondRun = second.run();
    first.fence();
    assert.throws(() => second.fence());
    await first.stop();
    await second.elected;
    second.fence();
    assert.throws(() => first.fence());
    const lease = await client.get<LeaseObject>(Resources.Lease, ref('lease'));
    assert.deepEqual([lease!.spec.holderIdentity, lease!.spec.leaseTransitions], ['second', 1]);
    await second.stop();
    await Promise.all([firstRun, secondRun]);
  });

  describe('a write', () => {
    it('of an object that another has taken the name of, or that is gone, is refused', async () => {
      const manager = { fieldManager: 'kube-test' };
      const first = await client.apply(map('mine', { x: '1' }), manager);
      const { uid } = first.metadata;
      assert.equal((await client.apply(map('mine', { x: '2' }, { uid }), manager)).metadata.uid, uid);
      assert.equal(await client.remove(Resources.ConfigMap, { ...ref('mine'), uid }), true);
      await assert.rejects(client.apply(map('mine', { x: '3' }, { uid }), manager), (error) => isStatus(error, 409));
      assert.equal(await client.get(Resources.ConfigMap, ref('mine')), undefined);
      const other = await client.create(map('mine', { x: 'theirs' }));
      const forced = client.apply(map('mine', { x: '3' }, { uid }), { ...manager, force: true });
      await assert.rejects(forced, (error) => isStatus(error, 409));
      assert.equal(await client.remove(Resources.ConfigMap, { ...ref('mine'), uid }), false);
      const left = await client.get<ConfigMap>(Resources.ConfigMap, ref('mine'));
      assert.deepEqual([left!.metadata.uid, left!.data], [other.metadata.uid, { x: 'theirs' }]);
    });

    it('of a status leaves the spec alone, and the other way round', async () => {
      const rcap = { ...capability(), metadata: ref('rcap') } as KubeObject & { spec: object };
      const made = await client.apply(rcap, { fieldManager: 'kube-test' });
      const condition = { type: 'Granted', status: 'True', reason: 'Granted', message: 'it fits' };
      const conditions = [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1 }];
      const { apiVersion, kind } = rcap;
      const metadata = { ...ref('rcap'), uid: made.metadata.uid };
      const status = { apiVersion, kind, metadata, status: { conditions } } as KubeObject;
      await client.apply(status, { fieldManager: 'kube-test-status', subresource: 'status' });
      const again = await client.apply({ ...rcap, metadata }, { fieldManager: 'kube-test' });
      const { spec, status: kept } = again as unknown as { spec: object; status: { conditions: object[] } };
      assert.deepEqual(spec, (made as unknown as { spec: object }).spec);
      assert.deepEqual(kept.conditions, conditions);
    });
  });

  it('events are seen, with how often', async () => {
    const recorder = new EventRecorder({ client, component: 'kube-test', log: silentLog() });
    const about = await client.create(map('loud'));
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'some-node', uid: 'u' } };
    for (let i = 0; i < 3; i++) recorder.record(about, 'Warning', 'Failed', 'there was no room');
    recorder.record(node, 'Normal', 'Seen', 'a node is in no namespace');
    await recorder.flush();
    const events = async (namespace: string, of: string) => {
      const path = resourcePath(Resources.Event, { namespace });
      const query = { fieldSelector: `involvedObject.uid=${of}` };
      return (await client.request<{ items: { reason: string; count: number }[] }>('GET', path, { query })).items;
    };
    const [failed, ...rest] = await events(NAMESPACE, about.metadata.uid!);
    assert.deepEqual([failed?.reason, failed?.count, rest], ['Failed', 3, []]);
    assert.deepEqual(
      (await events('default', 'u')).map((one) => one.reason),
      ['Seen'],
    );
  });

  describe('an operator', () => {
    class TestOperator extends KubeOperator {
      informer: Informer<ConfigMap> | undefined;
      readonly events: ResourceEvent[] = [];
      readonly cleaned: string[] = [];

      protected override async init(): Promise<void> {
        const onEvent = (event: ResourceEvent) => this.events.push(event);
        this.informer = await this.follow({ resource: Resources.ConfigMap, namespace: NAMESPACE, onEvent });
        await this.informer.whenSynced();
      }

      finalize(object: KubeObject): Promise<boolean> {
        const event = this.eventOf(Resources.ConfigMap, object);
        return this.handleResourceFinalizer(event, FINALIZER, async ({ meta }) => void this.cleaned.push(meta.name));
      }
    }

    let operator: TestOperator;
    beforeEach(async () => {
      operator = new TestOperator(client, silentLog());
      await operator.start();
    });
    afterEach(() => operator.stop());

    const cached = (name: string) => operator.informer!.store.get(`${NAMESPACE}/${name}`);

    it('sets its finalizer, cleans up, and lets go', async () => {
      await client.create(map('guarded', {}, { finalizers: ['example.com/other'] }));
      await eventually('it to be seen', () => cached('guarded') !== undefined);
      assert.equal(await operator.finalize(cached('guarded')!), true);
      await eventually('the finalizer', () => cached('guarded')!.metadata.finalizers!.includes(FINALIZER));
      assert.equal(await operator.finalize(cached('guarded')!), false, 'there is nothing more to do');
      await client.remove(Resources.ConfigMap, ref('guarded'));
      await eventually('the deletion', () => cached('guarded')!.metadata.deletionTimestamp !== undefined);
      assert.deepEqual(operator.cleaned, []);
      assert.equal(await operator.finalize(cached('guarded')!), true);
      assert.deepEqual(operator.cleaned, ['guarded']);
      const left = await client.get(Resources.ConfigMap, ref('guarded'));
      assert.deepEqual(left!.metadata.finalizers, ['example.com/other'], "another's is not ours to take off");
      await client.patch(Resources.ConfigMap, ref('guarded'), { metadata: { finalizers: null } });
      await eventually('the end', () => cached('guarded') === undefined);
      const types = operator.events.filter(({ meta }) => meta.name === 'guarded').map(({ type }) => type);
      assert.deepEqual([types[0], types.at(-1)], [ResourceEventType.Added, ResourceEventType.Deleted]);
    });

    it('reports that its object was not the latest, and leaves its cache alone', async () => {
      const before = await client.create(map('contested'));
      await client.patch(Resources.ConfigMap, ref('contested'), { metadata: { finalizers: ['example.com/other'] } });
      await assert.rejects(operator.finalize(before), (error) => isStatus(error, 409));
      assert.equal(before.metadata.finalizers, undefined);
      const left = await client.get(Resources.ConfigMap, ref('contested'));
      assert.deepEqual(left!.metadata.finalizers, ['example.com/other']);
      await client.patch(Resources.ConfigMap, ref('contested'), { metadata: { finalizers: null } });
    });
  });
});
