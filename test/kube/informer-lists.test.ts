/** What an informer asks for, keeps and tells. */
import assert from 'node:assert/strict';
import { silentLog } from '../../kube/log.ts';
import { eventually } from './eventually.ts';
import { answer } from './fake-server.ts';
import { Followed } from './followed.ts';

describe('informer', () => {
  let world: Followed;

  beforeEach(async () => {
    world = await Followed.start();
  });
  afterEach(() => world.stop());

  it('lists, then follows what is made, changed and removed', async () => {
    world.server.put('a');
    world.follow();
    await world.informer.whenSynced();
    assert.ok(world.informer.store.synced);
    await world.watching();
    world.server.put('b');
    world.server.put('a', { x: '1' });
    world.server.remove('b');
    await eventually('four changes', () => world.told.length === 4);
    assert.deepEqual(world.told, ['+ns/a', '+ns/b', '~ns/a', '-ns/b']);
    await world.same();
    assert.equal(world.informer.store.get('ns/a')?.kind, 'ConfigMap', 'items of a list do not say what they are');
  });

  it('lists in pages', async () => {
    for (let i = 0; i < 1_201; i++) world.server.put(`c${i}`);
    world.follow();
    await world.informer.whenSynced();
    assert.equal(world.informer.store.list().length, 1_201);
    assert.deepEqual(
      world.server.seen.filter(({ verb }) => verb === 'LIST').map(({ query }) => query.get('continue')),
      [null, '500', '1000'],
    );
    assert.equal(world.told.length, 1_201);
  });

  it('asks for smaller pages where its own are too large, and for no smaller ones than that takes', async () => {
    for (let i = 0; i < 40; i++) world.server.put(`c${i}`, { x: 'x'.repeat(10_000) });
    world.client = await world.server.client({ maxBody: 100_000 });
    world.follow();
    await world.informer.whenSynced();
    assert.equal(world.informer.store.list().length, 40);
    const limits = world.server.seen.filter(({ verb }) => verb === 'LIST').map(({ query }) => query.get('limit'));
    assert.deepEqual(limits, ['500', '125', '31', '7', '7', '7', '7', '7', '7']);
  });

  it('says so where a single object is too large', async () => {
    world.server.put('huge', { x: 'x'.repeat(200_000) });
    world.client = await world.server.client({ maxBody: 100_000 });
    const warned: string[] = [];
    const log = { ...silentLog(), warn: (of: { err?: string }) => void (of.err && warned.push(of.err)) };
    world.follow({ log });
    await eventually('a warning', () => warned.length > 0);
    assert.match(warned[0]!, /GET .*configmaps: the answer is larger than 100000 bytes/);
  });

  it('keeps of metadata only what is read', async () => {
    const theirs = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'slice-operator.io/x': 'x' };
    const object = world.server.put('a');
    const annotations = { ...theirs, 'slice-operator.io/attempt': '3' };
    Object.assign(object.metadata, { annotations, labels: { any: 'label' }, managedFields: [{}] });
    Object.assign(world.server.put('b').metadata, { annotations: theirs });
    world.follow();
    await world.informer.whenSynced();
    const { metadata } = world.informer.store.get('ns/a')!;
    assert.deepEqual(metadata.annotations, { 'slice-operator.io/attempt': '3' });
    assert.deepEqual(metadata.labels, { any: 'label' });
    assert.ok(!('managedFields' in metadata));
    assert.ok(!('annotations' in world.informer.store.get('ns/b')!.metadata));
  });

  it('begins anew when the next page has expired, and knows nothing before it knows all', async () => {
    for (let i = 0; i < 501; i++) world.server.put(`c${i}`);
    world.server.fault('LIST', ({ proceed }) => {
      world.server.refuse('LIST', 410, 'Expired');
      proceed();
    });
    world.follow();
    await eventually('a second page to be refused', () => world.server.count('LIST') === 2);
    assert.equal(world.informer.store.synced, false);
    await world.informer.whenSynced();
    assert.equal(world.informer.store.list().length, 501);
    assert.equal(world.server.seen.at(2)?.query.get('continue'), null);
  });

  it('keeps whole what cannot be reduced, and reduces the rest', async () => {
    world.server.put('odd');
    world.server.put('even');
    world.follow({
      transform(object) {
        if (object.metadata.name === 'odd') throw new Error('odd');
        return { ...object, data: { reduced: 'yes' } };
      },
    });
    await world.informer.whenSynced();
    assert.deepEqual(world.informer.store.get('ns/even')?.data, { reduced: 'yes' });
    assert.deepEqual(world.informer.store.get('ns/odd')?.data, {});
  });

  it('tells of everything again at each resync', async () => {
    world.server.put('a');
    world.follow({ resyncMs: 20 });
    await eventually('a resync', () => world.told.filter((one) => one === '~ns/a').length >= 2);
    assert.equal(world.server.count('LIST'), 1, 'without asking the server');
  });

  it('does not believe a server that lags behind, and believes it when it insists', async () => {
    world.server.put('a', { x: 'old' });
    world.follow();
    await world.watching();
    world.server.put('a', { x: 'new' });
    await world.same();
    const stale = { kind: 'List', metadata: { resourceVersion: '1' }, items: [] };
    world.server.fault('LIST', ({ response }) => answer(response, 200, stale), 2);
    world.server.refuse('WATCH', 410, 'Expired');
    for (const { response } of world.server.watches) response.end();
    await eventually('two old lists', () => world.server.count('LIST') === 3);
    assert.equal(world.informer.store.get('ns/a')?.data['x'], 'new');
    await world.catchesUp();
    assert.ok(!world.told.includes('-ns/a'));
  });

  it('asks for what it was told to ask for', async () => {
    world.follow({ namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name=x' });
    await world.watching();
    for (const { path, query } of world.server.seen) {
      assert.equal(path, '/api/v1/namespaces/ns/configmaps');
      assert.deepEqual([query.get('labelSelector'), query.get('fieldSelector')], ['a=b', 'metadata.name=x']);
    }
    assert.equal(world.server.seen.at(-1)?.query.get('allowWatchBookmarks'), 'true');
  });

  it('tells of another object under the name as of an end and a beginning', async () => {
    const first = world.server.put('a');
    world.follow();
    await world.watching();
    const { response } = [...world.server.watches][0]!;
    world.server.watches.clear();
    world.server.remove('a');
    world.server.put('a');
    world.server.forgetHistory();
    response.end();
    await world.same();
    assert.deepEqual(world.told, ['+ns/a', '-ns/a', '+ns/a']);
    assert.notEqual(world.informer.store.get('ns/a')?.metadata.uid, first.metadata.uid);
  });
});
