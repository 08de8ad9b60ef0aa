/** What an informer believes when nothing comes, and when what comes is older than what it knows. */
import assert from 'node:assert/strict';
import { startInformer, type Informer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { eventually } from './eventually.ts';
import { answer, FakeServer } from './fake-server.ts';

describe('informer, when nothing or the past comes', () => {
  let server: FakeServer;
  let informer: Informer<KubeObject>;
  let told: string[];

  beforeEach(async () => {
    server = await new FakeServer().start();
    told = [];
  });
  afterEach(async () => {
    await informer.stop();
    await server.stop();
  });

  async function follow(options: { silenceMs?: number; quietMs?: number } = {}): Promise<void> {
    informer = startInformer({
      ...options,
      client: await server.client(),
      resource: Resources.ConfigMap,
      log: silentLog(),
      onChange: (_key, after, before) => {
        told.push(`${before?.metadata.uid ?? ''}>${after?.metadata.uid ?? ''}`);
      },
    });
    await informer.whenSynced();
  }

  it('resumes a silent watch where it was, without a list', async () => {
    server.put('a');
    await follow({ silenceMs: 100 });
    await eventually('three watches', () => server.count('WATCH') >= 3);
    const from = server.seen.filter(({ verb }) => verb === 'WATCH').map(({ query }) => query.get('resourceVersion'));
    assert.equal(new Set(from).size, 1);
    assert.equal(server.count('LIST'), 1);
  });

  it('lists anew when nothing was heard for too long', async () => {
    await follow({ silenceMs: 100, quietMs: 10 });
    await eventually('a second list', () => server.count('LIST') >= 2);
  });

  it('takes what is in the past for a lagging server first, and stays with what it knows', async () => {
    const known = server.put('a', { is: 'new' });
    await follow();
    const items = [{ ...known, metadata: { ...known.metadata, resourceVersion: '5' } }];
    const past = { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '6' }, items };
    server.fault('LIST', ({ response }) => answer(response, 200, past), 2);
    server.forgetHistory();
    for (const { response } of server.watches) response.end();
    await eventually('a list of the present, after two of the past', () => server.count('LIST') === 4);
    await eventually('a watch', () => server.watches.size > 0);
    assert.equal(informer.store.get('ns/a')?.metadata.resourceVersion, known.metadata.resourceVersion);
    assert.deepEqual(told, ['>uid-1']);
  });

  it('follows a server that stays in the past: its etcd was restored', async function () {
    // five lists with back-off, which is the point
    this.timeout(60_000);
    const known = server.put('a');
    server.put('b');
    await follow();
    const items = [{ ...known, metadata: { ...known.metadata, resourceVersion: '5' } }];
    const past = { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '6' }, items };
    server.fault('LIST', ({ response }) => answer(response, 200, past), Infinity);
    server.forgetHistory();
    for (const { response } of server.watches) response.end();
    await eventually('the restored object', () => informer.store.get('ns/a')?.metadata.resourceVersion === '5');
    assert.equal(informer.store.get('ns/b'), undefined);
    assert.deepEqual(told.slice(2).toSorted(), ['uid-1>uid-1', 'uid-2>']);
  });

  it('tells of another object under the same name as of an end and a beginning, also when it saw neither', async () => {
    server.put('a');
    await follow();
    await eventually('a watch', () => server.watches.size > 0);
    const { response } = [...server.watches][0]!;
    server.watches.clear();
    server.remove('a');
    server.put('a');
    server.forgetHistory();
    response.end();
    await eventually('the second', () => informer.store.get('ns/a')?.metadata.uid === 'uid-2');
    assert.deepEqual(told, ['>uid-1', 'uid-1>', '>uid-2']);
  });
});
