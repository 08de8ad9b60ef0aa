/** What strangers get of a node's sensors. */
import assert from 'node:assert/strict';
import type { Listening } from '../../../../kube/listen.ts';
import { serveProxy } from '../../../../node-daemonset/sensors/page/proxy.ts';
import { ask, createWorld, saying, type World } from '../world.ts';

describe('the published sensors', () => {
  let world: World;
  let proxy: Listening;

  before(async () => {
    world = await createWorld([saying('load', () => [{ value: 1 }]), saying('own', () => [], { access: 'Own' })]);
    const origin = { host: '127.0.0.1', port: world.server.port };
    proxy = await serveProxy({ origin, address: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await proxy.close();
    await world.close();
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

  it('say so when the node manager does not answer', async () => {
    await world.server.close();
    assert.equal((await get('/load')).status, 502);
  });
});
