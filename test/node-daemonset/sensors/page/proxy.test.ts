/** What strangers get of a node's sensors. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { Listening } from '../../../../kube/listen.ts';
import { serveProxy } from '../../../../node-daemonset/sensors/page/proxy.ts';
import type { Stream } from '../../../../node-daemonset/sensors/source.ts';
import { eventually } from '../../../kube/eventually.ts';
import { ask, createWorld, saying, type World } from '../world.ts';

describe('the published sensors', () => {
  let world: World;
  let proxy: Listening;
  let following = 0;
  const clock: Stream = {
    follow() {
      following++;
      return () => following--;
    },
  };

  before(async () => {
    world = await createWorld(
      [saying('load', () => [{ value: 1 }]), saying('own', () => [], { access: 'Own' }), saying('clock', () => [])],
      { clock },
    );
    proxy = await serveProxy({ socketPath: world.pageSocket, address: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await proxy.close();
  });

  const get = (path: string, method = 'GET', headers: Record<string, string> = {}) =>
    ask({ host: '127.0.0.1', port: proxy.port, path, method, headers });

  it('are the public ones, as they are on the node', async () => {
    const { status, text, headers } = await get('/load', 'GET', { host: 'node1.example.org' });
    assert.deepEqual([status, text], [200, 'value\r\n1\r\n']);
    const again = await get('/load', 'GET', { 'if-none-match': String(headers.etag) });
    assert.equal(again.status, 304);
    assert.equal((await get('/own')).status, 403);
    assert.match((await get('/', 'GET', { accept: 'text/html' })).text, /<h1>/);
  });

  it('are for reading', async () => {
    assert.equal((await get('/load', 'POST')).status, 405);
    assert.deepEqual((await get('/load', 'HEAD')).text, '');
  });

  const visit = (localAddress: string, path = '/load') =>
    ask({ host: '127.0.0.1', port: proxy.port, path, localAddress, headers: { host: 'x' } });
  const hold = (localAddress: string, text: string): Socket => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, localAddress });
    socket.on('error', () => undefined).resume();
    socket.write(text);
    return socket;
  };

  it('are for everybody, however many connections one visitor holds', async () => {
    const held = Array.from({ length: 300 }, () => hold('127.0.0.2', 'HEAD /load HTTP/1.1\r\nhost: x\r\n\r\n'));
    await eventually('all but some to be closed', () => held.filter(({ closed }) => !closed).length <= 16);
    assert.equal((await visit('127.0.0.3')).status, 200);
    // nor are they kept from the visitor himself
    assert.equal((await visit('127.0.0.2')).status, 200);
    for (const one of held) one.destroy();
  });

  it('are for everybody, however many streams are followed', async () => {
    const follow = 'GET /clock HTTP/1.1\r\nhost: x\r\n\r\n';
    const held = Array.from({ length: 64 }, (_, i) => hold(`127.0.1.${i % 16}`, follow));
    await eventually('as many to be followed as may be', () => following === 32);
    assert.equal((await visit('127.0.0.3', '/clock')).status, 503);
    assert.equal((await visit('127.0.0.3')).status, 200);
    // nor are their places taken from those on the node
    const here = connect(world.server.port, '127.0.0.1').resume();
    here.write('GET /clock HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually('one more to be followed', () => following === 33);
    for (const one of [...held, here]) one.destroy();
    await eventually('none to be followed', () => following === 0);
  });

  it('let one visitor follow some streams only', async () => {
    const held = Array.from({ length: 8 }, () => hold('127.0.0.2', 'GET /clock HTTP/1.1\r\nhost: x\r\n\r\n'));
    await eventually('as many to be followed as may be', () => following === 4);
    assert.equal((await visit('127.0.0.2', '/clock')).status, 503);
    for (const one of held) one.destroy();
    await eventually('none to be followed', () => following === 0);
  });

  it('say so when the node manager does not answer', async () => {
    await world.close();
    assert.equal((await get('/load')).status, 502);
  });
});
