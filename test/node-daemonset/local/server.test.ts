/** The local API under slivers that mean no good, and those that may not: bounded, refused, counted, logged. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { LOCAL_BOUNDS } from '../../../node-daemonset/local/bounds.ts';
import type { LocalCapability } from '../../../node-daemonset/local/rights.ts';
import { edited } from '../rights.ts';
import { createWorld, type World } from './world.ts';

describe('the local API', () => {
  let world: World;
  beforeEach(() => void (world = createWorld()));
  afterEach(() => world.close());

  const LIST = 'GET /v1/capabilities HTTP/1.1\r\nHost: node\r\n\r\n';

  /** All that comes on a connection until it is closed. */
  async function heard(socket: Socket): Promise<string> {
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    return text;
  }

  async function open(slice = 'broker', peer = slice): Promise<Socket> {
    world.peer = `pod-${peer}`;
    const socket = connect(world.socketOf(slice)).on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  it('refuses a sliver without the privilege: counted each time, logged once a minute', async () => {
    for (let n = 0; n < 3; n++) {
      const { status, code } = await world.ask('plain', 'POST', '/v1/capabilities', { name: 'lab' });
      assert.deepEqual([status, code], [403, 'NotPrivileged']);
    }
    assert.equal(await world.counted('Acquire', 'NotPrivileged'), 3);
    assert.deepEqual(
      world.warnings.map(({ pod, namespace, slice, operation, code }) => [pod, namespace, slice, operation, code]),
      [['pod-plain', 'team', 'plain', 'Acquire', 'NotPrivileged']],
    );
    assert.deepEqual(world.written, [], 'the operator hears nothing of it');
  });

  it('refuses whoever comes to another sliver’s socket, or is of no pod', async () => {
    for (const peer of ['plain', 'nobody']) {
      const text = await heard(await open('broker', peer));
      assert.match(text, /^HTTP\/1\.1 403 .*\r\n\r\n\{"code":"NotYours","message":"[^"]+"\}\n$/s);
    }
    assert.equal(await world.counted('Connect', 'NotYours'), 2);
    assert.equal(world.warnings.length, 2);
    assert.equal((await world.ask('broker', 'GET', '/v1/capabilities')).status, 200);
  });

  it('says who came to whose socket: a line a minute for each who comes, and none in the name of whose it is', async () => {
    const by = async (slice: string, peer: string) => await heard(await open(slice, peer));
    for (const peer of ['plain', 'plain', 'nobody', 'other', 'plain']) await by('broker', peer);
    world.peer = undefined;
    await heard(connect(world.socketOf('broker')));
    await by('plain', 'broker');
    const [broker, plain] = ['broker', 'plain'].map((slice) => ({ pod: `pod-${slice}`, namespace: 'team', slice }));
    const none = { namespace: undefined, slice: undefined };
    assert.deepEqual(
      world.warnings.map(({ by, socketOf, pod, code }) => [by, socketOf, pod, code]),
      [
        [plain, broker, undefined, 'NotYours'],
        [{ pod: 'pod-nobody', ...none }, broker, undefined, 'NotYours'],
        [broker, plain, undefined, 'NotYours'],
      ],
    );
  });

  it('is there for those that have a right, while the owner offers it', async () => {
    world.pass(['broker']);
    assert.ok(existsSync(world.socketOf('broker')) && !existsSync(world.socketOf('plain')));
    world.pass();
    assert.equal((await world.ask('broker', 'GET', '/v1/capabilities')).status, 200);
    world.isOffered = false;
    world.pass();
    assert.ok(!existsSync(world.socketOf('plain')));
    // it keeps the right, and what it made
    const { status, code } = await world.ask('broker', 'POST', '/v1/capabilities', { name: 'lab' });
    assert.deepEqual([status, code], [403, 'PrivilegeNotOffered']);
  });

  it('splits of a sliver’s own right no more than leaves it running, by whatever name', async () => {
    const split = (name: string, from: string, count: number) => {
      const resources = { cpu: { shares: count }, egress: { guarantee: '1k' } };
      return world.ask('broker', 'POST', `/v1/capabilities/${from}/split`, { name, resources });
    };
    for (const from of ['self', 'right-broker']) {
      const { status, code, text } = await split('part', from, 1);
      assert.deepEqual([status, code], [403, 'NotAllowed']);
      assert.match(text, /less than 1 share or 1 kbit\/s.*: acquire a right first, and split that"/);
    }
    assert.deepEqual(world.written, [], 'the operator hears nothing of it');
    const { privileges } = world.rcaps[0]!.spec.resources!;
    world.rcaps[0] = edited(world.rcaps[0]!, { resources: { privileges: privileges!, cpu: { shares: 5 } } });
    world.pass();
    const made = await split('part', 'self', 4);
    assert.deepEqual([made.status, (made.body as LocalCapability).state], [201, 'Granted'], made.text);
    assert.equal((await split('part', 'self', 4)).status, 201, 'asked again it is the same right');
    assert.equal((await split('last', 'self', 1)).code, 'NotAllowed');
    const { state, message } = (await split('more', 'self', 2)).body as LocalCapability;
    assert.deepEqual([state, message], ['Denied', 'asks 2, 1 of 5 of team/right-broker free'], 'of what is not there');
  });

  it('reads no body of more than 8 KiB, and no nonsense', async () => {
    const ask = (body: string) => world.ask('broker', 'POST', '/v1/capabilities', body);
    const large = await ask(JSON.stringify({ name: 'x', contact: 'x'.repeat(LOCAL_BOUNDS.bodyBytes) }));
    assert.deepEqual([large.status, large.code], [413, 'TooLarge']);
    for (const body of ['', '{', '[]', '"x"', 'null', '{"name":1}', '{"name":"self"}', '{"name":"x","spec":{}}']) {
      assert.equal((await ask(body)).code, 'Invalid', body);
    }
    const odd = `{"name":"x","${'y'.repeat(3000)}":1}`;
    assert.ok((await ask(odd)).text.length < 200, 'what it sent is not sent back');
    for (const path of ['/', '/v1', '/v1/capabilities/', '/v1/capabilities/%00', `/${'x'.repeat(3000)}`]) {
      assert.equal((await world.ask('broker', 'GET', path)).code, 'NotFound', path.slice(0, 30));
    }
    assert.deepEqual(world.written, []);
  });

  it('hangs up on a request that is none, and goes on', async () => {
    const socket = await open();
    socket.write('GET /v1 HTT\0\r\n\r\n');
    await heard(socket);
    assert.equal((await world.ask('broker', 'GET', '/v1/capabilities')).status, 200);
  });

  it('answers one request at a time on a connection', async () => {
    world.away = true;
    const socket = await open();
    const body = '{"name":"lab"}';
    socket.write(`POST /v1/capabilities HTTP/1.1\r\nHost: node\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    socket.write(LIST);
    while (world.written.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    world.comeBack();
    const text = await heard(socket);
    assert.match(text, /^HTTP\/1\.1 201 .*HTTP\/1\.1 429 .*wait for one answer/s);
  });

  it('gives a sliver no more than its connections, and each sliver one', async () => {
    const held = await Promise.all(Array.from({ length: LOCAL_BOUNDS.connections }, () => open()));
    const text = await heard(await open());
    assert.match(text, /^HTTP\/1\.1 429 .*too many connections/s);
    assert.equal((await world.ask('plain', 'GET', '/v1/capabilities')).code, 'NotPrivileged');
    for (const socket of held) socket.destroy();
  });

  it('answers a sliver that floods no more than its part, and others as before', async () => {
    const socket = await open();
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    for (let n = 0; n < LOCAL_BOUNDS.requests.burst + 30 && !socket.destroyed; n++) {
      const before = text.length;
      socket.write(LIST);
      while (text.length === before && !socket.destroyed) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(text, /HTTP\/1\.1 429 /);
    assert.match(text, /retry-after: 1/i);
    assert.equal((await world.ask('plain', 'GET', '/v1/capabilities')).code, 'NotPrivileged');
  });

  it('lets a sliver wait for few things at once, and take back what nobody does', async () => {
    world.away = true;
    const asked = Array.from({ length: LOCAL_BOUNDS.connections }, (_, n) =>
      world.ask('broker', 'POST', '/v1/capabilities', { name: `lab-${n}` }).catch((error: Error) => error),
    );
    while ((world.written.at(-1)?.length ?? 0) < LOCAL_BOUNDS.waiting) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const told = world.written.at(-1)!;
    assert.equal(new Set(told.map(({ id }) => id)).size, LOCAL_BOUNDS.waiting);
    assert.deepEqual(
      told.map(({ operation, namespace, right, rightUID }) => [operation, namespace, right, rightUID])[0],
      ['Acquire', 'team', 'right-broker', 'broker'],
    );
    await world.close();
    assert.equal((await Promise.all(asked)).length, LOCAL_BOUNDS.connections);
    world = createWorld();
  });
});
