import assert from 'node:assert/strict';
import { FencedError, isAlreadyExists, isStatus } from '../../kube/errors.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { eventually, settle } from './eventually.ts';
import { answer, FakeServer, status, type Exchange } from './fake-server.ts';

const REF = { namespace: 'ns', name: 'a' };
const PATH = '/api/v1/namespaces/ns/configmaps';

const map = (uid?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...REF, ...(uid !== undefined && { uid }) },
});

describe('ApiClient', () => {
  let server: FakeServer;
  beforeEach(async () => {
    server = await new FakeServer().start();
  });
  afterEach(() => server.stop());

  it('gets, or tells that there is none; other refusals are errors', async () => {
    const client = await server.client();
    assert.equal(await client.get(Resources.ConfigMap, REF), undefined);
    server.put('a');
    assert.equal((await client.get(Resources.ConfigMap, REF))?.metadata.name, 'a');
    server.refuse('GET', 403, 'Forbidden');
    await assert.rejects(client.get(Resources.ConfigMap, REF), (error) => isStatus(error, 403));
  });

  it('tells a name that is taken', async () => {
    const client = await server.client();
    await client.create(map());
    await assert.rejects(client.create(map()), isAlreadyExists);
  });

  it('sends no half of a character, whoever wrote it, and leaves all else as it is', async () => {
    const client = await server.client();
    const text = 'half \ud83d, whole \u{1f600}, escaped \\ud83d';
    await client.create({ ...map(), data: { text } } as KubeObject);
    const kept = await client.get<KubeObject & { data: { text: string } }>(Resources.ConfigMap, REF);
    assert.equal(kept?.data.text, text.toWellFormed());
  });

  it('knows the object again after an answer that was lost', async () => {
    const client = await server.client();
    server.fault('POST', ({ accept, response }) => {
      accept();
      response.destroy();
    });
    const lost = await client.create(map()).then(
      () => assert.fail('the answer was lost'),
      (error: unknown) => error,
    );
    assert.ok(!isStatus(lost, 409, 500), 'nobody knows whether the server did it');
    await assert.rejects(client.create(map()), isAlreadyExists);
    assert.equal(server.count('POST'), 2, 'nothing was sent twice by itself');
  });

  it('takes an answer that is cut for none', async () => {
    const client = await server.client();
    server.put('a');
    server.fault('GET', ({ response }) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"metadata":', () => response.destroy());
    });
    await assert.rejects(client.get(Resources.ConfigMap, REF), /broke off/);
  });

  it('removes that very object and no other of its name', async () => {
    const client = await server.client();
    const { uid } = server.put('a').metadata;
    assert.equal(await client.remove(Resources.ConfigMap, { ...REF, uid: 'another' }), false);
    assert.equal(server.list().length, 1);
    assert.equal(await client.remove(Resources.ConfigMap, { ...REF, uid }), true);
    assert.equal(await client.remove(Resources.ConfigMap, { ...REF, uid }), false);
    server.put('a');
    server.refuse('DELETE', 409, 'Conflict');
    await assert.rejects(client.remove(Resources.ConfigMap, REF), (error) => isStatus(error, 409));
  });

  it('reads the token anew when it is refused, once', async () => {
    server.token = 'first';
    const client = await server.client();
    await client.create(map());
    server.token = 'second';
    server.writeToken('second\n');
    await client.patch(Resources.ConfigMap, REF, { data: { x: '1' } });
    assert.deepEqual(
      server.seen.map(({ authorization }) => authorization),
      ['Bearer first', 'Bearer first', 'Bearer second'],
    );
    server.token = 'third';
    await assert.rejects(client.get(Resources.ConfigMap, REF), (error) => isStatus(error, 401));
    assert.equal(server.seen.length, 5);
  });

  it('counts each request by verb and status, and 0 for no answer', async () => {
    const counted: string[] = [];
    const client = await server.client({ onRequest: (verb, code) => counted.push(`${verb} ${code}`) });
    await client.get(Resources.ConfigMap, REF);
    await client.create(map());
    server.fault('GET', ({ response }) => void response.destroy());
    await assert.rejects(client.get(Resources.ConfigMap, REF));
    assert.deepEqual(counted, ['GET 404', 'POST 201', 'GET 0']);
  });

  it('ends what the caller gives up, before and after the headers', async () => {
    const client = await server.client();
    for (const begin of [false, true]) {
      let met = false;
      server.fault('GET', ({ response }) => {
        if (begin) response.writeHead(200).write('{');
        met = true;
      });
      const giveUp = new AbortController();
      const request = client.get(Resources.ConfigMap, REF, giveUp.signal);
      await eventually('the request', () => met);
      await settle();
      giveUp.abort();
      await assert.rejects(request);
    }
  });

  it('uses no more connections than it may, and the same again', async () => {
    const client = await server.client({ connections: 7 });
    for (let round = 0; round < 3; round++) {
      const paths = Array.from({ length: 200 }, (_one, i) => `${PATH}/x${i}`);
      await Promise.all(paths.map((path) => client.request('GET', path).catch(() => undefined)));
    }
    assert.equal(server.seen.length, 600);
    assert.equal(server.mostSockets, 7);
  });

  it('lets watches take none of them', async () => {
    const client = await server.client({ connections: 1 });
    const stop = new AbortController();
    const bodies = Array.from({ length: 3 }, () => client.stream(PATH, { watch: true }, stop.signal));
    await Promise.all(bodies);
    await client.create(map());
    stop.abort();
  });

  describe('behind a fence', () => {
    let open: boolean;
    const fence = () => {
      if (!open) throw new FencedError('not the leader');
    };
    beforeEach(() => {
      open = true;
    });

    it('writes nothing, and reads', async () => {
      const client = await server.client({ fence });
      open = false;
      const writes = [
        client.create(map()),
        client.apply(map(), { fieldManager: 'f' }),
        client.patch(Resources.ConfigMap, REF, {}),
        client.remove(Resources.ConfigMap, REF),
      ];
      for (const write of writes) await assert.rejects(write, FencedError);
      assert.equal(server.seen.length, 0);
      assert.equal(await client.get(Resources.ConfigMap, REF), undefined);
    });

    it('does not write what waited for a connection until it was too late', async () => {
      const client = await server.client({ fence, connections: 1 });
      let held: Exchange | undefined;
      server.fault('GET', (exchange) => (held = exchange));
      const slow = client.get(Resources.ConfigMap, REF);
      await eventually('the slow request', () => held !== undefined);
      const write = client.create(map());
      write.catch(() => undefined);
      await settle();
      open = false;
      held!.proceed();
      await slow;
      await assert.rejects(write, FencedError);
      assert.equal(server.count('POST'), 0);
      open = true;
      await client.create(map());
    });

    it('does not write again with a new token when it was too late meanwhile', async () => {
      const client = await server.client({ fence });
      server.fault('POST', ({ response }) => {
        open = false;
        answer(response, 401, status(401, 'Unauthorized'));
      });
      await assert.rejects(client.create(map()), FencedError);
      assert.equal(server.count('POST'), 1);
    });
  });
});
