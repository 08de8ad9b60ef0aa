import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { ApiClient } from '../../kube/client.ts';
import { startInformer, type Informer, type InformerOptions } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { eventually, settle } from './eventually.ts';
import { answer, FakeServer, status } from './fake-server.ts';

interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}

describe('informer', () => {
  let server: FakeServer;
  let client: ApiClient;
  let informer: Informer<ConfigMap>;
  let told: string[];

  beforeEach(async () => {
    server = await new FakeServer().start();
    client = await server.client();
    told = [];
  });
  afterEach(async () => {
    await informer.stop();
    await server.stop();
  });

  function follow(options: Partial<InformerOptions<ConfigMap>> = {}): void {
    const onChange = (key: string, after?: ConfigMap, before?: ConfigMap) => {
      told.push(`${before ? (after ? '~' : '-') : '+'}${key}`);
    };
    const all = { client, resource: Resources.ConfigMap, onChange, log: silentLog(), ...options };
    informer = startInformer<ConfigMap>(all);
  }

  const watching = () => eventually('a watch', () => server.watches.size > 0);
  const plain = (objects: KubeObject[]) =>
    (objects as ConfigMap[])
      .map(({ kind, metadata: { name, uid, resourceVersion }, data }) =>
        JSON.stringify([kind, name, uid, resourceVersion, data]),
      )
      .toSorted();
  /** The oracle of every fault: what the store has is what a new list has. */
  const same = () =>
    eventually('the store has what the server has', () => {
      const [ours, theirs] = [plain(informer.store.list()), plain(server.list())];
      return ours.join('\n') === theirs.join('\n');
    });
  /** Something happens on the server, and the informer gets to know. */
  const catchesUp = async () => {
    server.put('later', { at: String(server.seen.length) });
    await same();
  };

  it('lists, then follows what is made, changed and removed', async () => {
    server.put('a');
    follow();
    await informer.whenSynced();
    assert.ok(informer.store.synced);
    await watching();
    server.put('b');
    server.put('a', { x: '1' });
    server.remove('b');
    await eventually('four changes', () => told.length === 4);
    assert.deepEqual(told, ['+ns/a', '+ns/b', '~ns/a', '-ns/b']);
    await same();
    assert.equal(informer.store.get('ns/a')?.kind, 'ConfigMap', 'items of a list do not say what they are');
  });

  it('lists in pages', async () => {
    for (let i = 0; i < 1_201; i++) server.put(`c${i}`);
    follow();
    await informer.whenSynced();
    assert.equal(informer.store.list().length, 1_201);
    assert.deepEqual(
      server.seen.filter(({ verb }) => verb === 'LIST').map(({ query }) => query.get('continue')),
      [null, '500', '1000'],
    );
    assert.equal(told.length, 1_201);
  });

  it('asks for smaller pages where its own are too large, and for no smaller ones than that takes', async () => {
    for (let i = 0; i < 40; i++) server.put(`c${i}`, { x: 'x'.repeat(10_000) });
    client = await server.client({ maxBody: 100_000 });
    follow();
    await informer.whenSynced();
    assert.equal(informer.store.list().length, 40);
    const limits = server.seen.filter(({ verb }) => verb === 'LIST').map(({ query }) => query.get('limit'));
    assert.deepEqual(limits, ['500', '125', '31', '7', '7', '7', '7', '7', '7']);
  });

  it('says so where a single object is too large', async () => {
    server.put('huge', { x: 'x'.repeat(200_000) });
    client = await server.client({ maxBody: 100_000 });
    const warned: string[] = [];
    const log = { ...silentLog(), warn: (of: { err?: string }) => void (of.err && warned.push(of.err)) };
    follow({ log });
    await eventually('a warning', () => warned.length > 0);
    assert.match(warned[0]!, /GET .*configmaps: the answer is larger than 100000 bytes/);
  });

  it('keeps of metadata only what is read', async () => {
    const theirs = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'slice-operator.io/x': 'x' };
    const object = server.put('a');
    const annotations = { ...theirs, 'slice-operator.io/attempt': '3' };
    Object.assign(object.metadata, { annotations, labels: { any: 'label' }, managedFields: [{}] });
    Object.assign(server.put('b').metadata, { annotations: theirs });
    follow();
    await informer.whenSynced();
    const { metadata } = informer.store.get('ns/a')!;
    assert.deepEqual(metadata.annotations, { 'slice-operator.io/attempt': '3' });
    assert.deepEqual(metadata.labels, { any: 'label' });
    assert.ok(!('managedFields' in metadata));
    assert.ok(!('annotations' in informer.store.get('ns/b')!.metadata));
  });

  it('begins anew when the next page has expired, and knows nothing before it knows all', async () => {
    for (let i = 0; i < 501; i++) server.put(`c${i}`);
    server.fault('LIST', ({ proceed }) => {
      server.refuse('LIST', 410, 'Expired');
      proceed();
    });
    follow();
    await eventually('a second page to be refused', () => server.count('LIST') === 2);
    assert.equal(informer.store.synced, false);
    await informer.whenSynced();
    assert.equal(informer.store.list().length, 501);
    assert.equal(server.seen.at(2)?.query.get('continue'), null);
  });

  it('goes on from where it was when the server ends a watch', async () => {
    follow();
    await watching();
    server.put('a');
    await same();
    for (const { response } of server.watches) response.end();
    await eventually('the watch to end', () => server.watches.size === 0);
    server.put('b');
    server.remove('a');
    await same();
    await catchesUp();
    assert.equal(server.count('LIST'), 1);
    assert.deepEqual(told.slice(0, 3), ['+ns/a', '+ns/b', '-ns/a']);
  });

  it('goes on when the connection is cut in the middle of a line', async () => {
    follow();
    await watching();
    for (const { response } of server.watches) {
      response.write('{"type":"ADDED","object":{"metadata":{"name":"ghost","names', () => response.destroy());
    }
    await eventually('the watch to end', () => server.watches.size === 0);
    await catchesUp();
    assert.equal(informer.store.get('ns/ghost'), undefined);
    assert.equal(server.count('LIST'), 1);
  });

  it('reads lines however they are cut, also within a character', async () => {
    follow();
    await watching();
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'ns', name: 'ü', uid: 'u', resourceVersion: '999' },
    };
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    for (const { response } of server.watches) {
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await settle(1);
      }
    }
    await eventually('the object', () => informer.store.get('ns/ü') !== undefined);
  });

  it('gives up a watch that is half open and silent', async () => {
    follow({ silenceMs: 200 });
    await watching();
    server.abandonWatches();
    await catchesUp();
  });

  it('gives up a watch that is never answered at all', async () => {
    server.fault('WATCH', () => undefined);
    follow({ silenceMs: 200 });
    await informer.whenSynced();
    await eventually('a watch that nobody answers', () => server.count('WATCH') === 1);
    await catchesUp();
  });

  it('lists anew when the stream says that its version is too old', async () => {
    follow();
    server.put('kept');
    server.put('gone');
    await watching();
    await same();
    const { response } = [...server.watches][0]!;
    server.watches.clear();
    server.remove('gone');
    server.put('new');
    server.forgetHistory();
    response.end();
    await same();
    assert.equal(server.count('LIST'), 2);
    assert.deepEqual(told.slice(-2).toSorted(), ['+ns/new', '-ns/gone']);
  });

  it('lists anew when the watch is refused as too old', async () => {
    server.refuse('WATCH', 410, 'Expired');
    follow();
    await eventually('a second list', () => server.count('LIST') === 2);
    await catchesUp();
  });

  it('starts from a bookmark, not from the last event', async () => {
    follow();
    await watching();
    const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '5000' } } };
    for (const { response } of server.watches) response.write(`${JSON.stringify(bookmark)}\n`);
    await settle();
    for (const { response } of server.watches) response.end();
    await eventually('a second watch', () => server.count('WATCH') === 2);
    assert.equal(server.seen.at(-1)?.query.get('resourceVersion'), '5000');
    assert.deepEqual(told, []);
  });

  for (const [verb, code, reason] of [
    ['LIST', 403, 'Forbidden'],
    ['WATCH', 403, 'Forbidden'],
    ['LIST', 404, 'NotFound'],
    ['WATCH', 404, 'NotFound'],
    ['LIST', 410, 'Expired'],
    ['LIST', 500, 'InternalError'],
    ['WATCH', 503, 'ServiceUnavailable'],
    ['WATCH', 504, 'Timeout'],
  ] as const) {
    it(`survives ${code} at ${verb}, three times`, async () => {
      server.put('a');
      server.refuse(verb, code, reason, 3);
      follow();
      await catchesUp();
      await eventually('a fourth attempt', () => server.count(verb) >= 4);
      await catchesUp();
    });
  }

  it('survives that everything is refused, and connections with it', async () => {
    follow();
    await watching();
    server.fault('ANY', ({ response }) => void response.destroy(), 2);
    server.refuse('ANY', 503, 'ServiceUnavailable', 2);
    for (const { response } of server.watches) response.destroy();
    await eventually('all faults to be met', () => server.count('WATCH') >= 5);
    await catchesUp();
  });

  it('waits as long as it is asked', async () => {
    server.refuse('LIST', 429, 'TooManyRequests', 1, { 'retry-after': '1' });
    const timers = mock.method(globalThis, 'setTimeout');
    follow();
    await informer.whenSynced();
    timers.mock.restore();
    // the first back-off by itself is 200 ms at most
    assert.ok(timers.mock.calls.some((call) => call.arguments[1] === 1_000));
  });

  it('goes on with a new token when its own is refused in a watch', async () => {
    server.token = 'first';
    follow();
    await watching();
    server.token = 'second';
    server.writeToken('second');
    for (const { response } of server.watches) response.end();
    await eventually('the watch to end', () => server.watches.size === 0);
    await catchesUp();
    assert.equal(server.seen.at(-1)?.authorization, 'Bearer second');
  });

  it('survives who is told of changes', async () => {
    follow({
      onChange(key) {
        told.push(key);
        throw new Error('not today');
      },
    });
    await watching();
    server.put('a');
    await catchesUp();
    assert.deepEqual(told, ['ns/a', 'ns/later']);
  });

  it('keeps whole what cannot be reduced, and reduces the rest', async () => {
    server.put('odd');
    server.put('even');
    follow({
      transform(object) {
        if (object.metadata.name === 'odd') throw new Error('odd');
        return { ...object, data: { reduced: 'yes' } };
      },
    });
    await informer.whenSynced();
    assert.deepEqual(informer.store.get('ns/even')?.data, { reduced: 'yes' });
    assert.deepEqual(informer.store.get('ns/odd')?.data, {});
  });

  it('tells of another object under the name as of an end and a beginning', async () => {
    const first = server.put('a');
    follow();
    await watching();
    const { response } = [...server.watches][0]!;
    server.watches.clear();
    server.remove('a');
    server.put('a');
    server.forgetHistory();
    response.end();
    await same();
    assert.deepEqual(told, ['+ns/a', '-ns/a', '+ns/a']);
    assert.notEqual(informer.store.get('ns/a')?.metadata.uid, first.metadata.uid);
  });

  it('does not believe a server that lags behind, and believes it when it insists', async () => {
    server.put('a', { x: 'old' });
    follow();
    await watching();
    server.put('a', { x: 'new' });
    await same();
    const stale = { kind: 'List', metadata: { resourceVersion: '1' }, items: [] };
    server.fault('LIST', ({ response }) => answer(response, 200, stale), 2);
    server.refuse('WATCH', 410, 'Expired');
    for (const { response } of server.watches) response.end();
    await eventually('two old lists', () => server.count('LIST') === 3);
    assert.equal(informer.store.get('ns/a')?.data['x'], 'new');
    await catchesUp();
    assert.ok(!told.includes('-ns/a'));
  });

  it('tells of everything again at each resync', async () => {
    server.put('a');
    follow({ resyncMs: 20 });
    await eventually('a resync', () => told.filter((one) => one === '~ns/a').length >= 2);
    assert.equal(server.count('LIST'), 1, 'without asking the server');
  });

  it('stops while it waits for an answer, and leaves nobody waiting', async () => {
    server.fault('LIST', () => undefined);
    follow();
    await eventually('a list that nobody answers', () => server.count('LIST') === 1);
    await informer.stop();
    await informer.whenSynced();
    assert.equal(informer.store.synced, false);
    const asked = server.seen.length;
    await settle(50);
    assert.equal(server.seen.length, asked);
  });

  it('asks for what it was told to ask for', async () => {
    follow({ namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name=x' });
    await watching();
    for (const { path, query } of server.seen) {
      assert.equal(path, '/api/v1/namespaces/ns/configmaps');
      assert.deepEqual([query.get('labelSelector'), query.get('fieldSelector')], ['a=b', 'metadata.name=x']);
    }
    assert.equal(server.seen.at(-1)?.query.get('allowWatchBookmarks'), 'true');
  });

  it('takes an error in the stream that is not about its version for a break only', async () => {
    follow();
    await watching();
    const event = { type: 'ERROR', object: status(500, 'InternalError') };
    for (const { response } of server.watches) response.end(`${JSON.stringify(event)}\n`);
    await eventually('the watch to end', () => server.watches.size === 0);
    await catchesUp();
    assert.equal(server.count('LIST'), 1);
  });
});
