/** The sensors over real HTTP: what PlanetLab's callers sent works, and what nobody should send costs nothing. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { createWorld, saying, sensorOf, sliverOf, type World } from './world.ts';

describe('the sensor server', () => {
  let world: World;
  let reads = 0;
  const sliver = sliverOf('probe');

  before(async () => {
    world = await createWorld([
      saying('load', () => [{ value: ++reads }], { cacheMs: 60_000 }),
      saying('hangs', () => new Promise(() => {}) as never, { timeoutMs: 50 }),
      saying('dies', () => {
        throw new Error('no such luck');
      }),
      saying('own', () => [{ value: 1 }], { access: 'Own', arguments: 'x' }),
    ]);
    await world.serve([sensorOf('secret', { slice: 'probe', http: { port: 8080 }, access: 'Slices' })], [sliver]);
  });
  after(() => world.close());

  it('answers CSV with a header row, and JSON where it is asked for', async () => {
    const csv = await world.get('/load');
    assert.equal(csv.status, 200);
    assert.equal(csv.text, 'value\r\n1\r\n');
    assert.match(csv.headers['content-type']!, /^text\/csv/);
    const json = await world.get('/load.json');
    assert.deepEqual(JSON.parse(json.text).rows, [[1]]);
    const accepted = await world.get('/load', { headers: { accept: 'application/json' } });
    assert.equal(accepted.text, json.text);
  });

  it('reads once for all who ask within the cache time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => world.get('/load')));
    assert.equal(reads, 1);
  });

  it('answers HEAD without a body, and 405 to anything that writes', async () => {
    const head = await world.get('/load', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', '10']);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await world.get('/load', { method });
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'], method);
    }
  });

  it('says for how long an answer holds, and that it is the same one', async () => {
    const { headers } = await world.get('/load');
    assert.match(headers['cache-control']!, /^public, max-age=\d\d$/);
    const again = await world.get('/load', { headers: { 'if-none-match': String(headers.etag) } });
    assert.deepEqual([again.status, again.text], [304, '']);
    const other = await world.get('/load.json', { headers: { 'if-none-match': String(headers.etag) } });
    assert.equal(other.status, 200);
  });

  it('lists all sensors, for programs and for people', async () => {
    assert.match((await world.get('/')).text, /^load,,Snapshot,Builtin,Public,60,value,says load\r$/m);
    const { text, headers } = await world.get('/', { headers: { accept: 'text/html' } });
    assert.match(text, /<a href="\/load">/);
    assert.match(String(headers['content-security-policy']), /default-src 'none'/);
  });

  it('says what is wrong with a question', async () => {
    const expected = {
      '/nothing': 404,
      '/load/more': 404,
      '/%zz': 400,
      '/a//b': 400,
      '/%00': 400,
      '/constructor': 404,
      '/own': 403,
      '/observatory.secret': 403,
      '/hangs': 504,
      '/dies': 502,
      [`/${'x'.repeat(3000)}`]: 414,
    };
    for (const [path, status] of Object.entries(expected)) {
      const answer = await world.get(path);
      assert.equal(answer.status, status, `${path.slice(0, 30)}: ${answer.text}`);
      assert.ok(answer.text.length > 5 && answer.text.length < 400);
    }
  });

  it('is not to be read by a web page that leads its own name here', async () => {
    assert.equal((await world.get('/load', { headers: { host: 'evil.example.org' } })).status, 421);
    for (const host of ['localhost:33080', '127.0.0.1', '[::1]:33080']) {
      assert.equal((await world.get('/load', { headers: { host } })).status, 200, host);
    }
  });

  it('knows over a sliver’s socket who asks', async () => {
    const socket = world.socketOf(sliver);
    assert.equal((await world.get('/own', { socket })).status, 200);
    // allowed, and then nobody serves the port
    assert.match((await world.get('/observatory.secret', { socket })).text, /port 8080 does not belong/);
    await world.serve([], [{ ...sliver, standing: 'penalised' }]);
    await assert.rejects(world.get('/own', { socket }));
    await world.serve([], [sliver]);
  });

  it('answers a sliver that floods no more than its part, and others as before', async () => {
    const socket = connect(world.socketOf(sliver));
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', () => undefined);
    socket.write('GET /load HTTP/1.1\r\nHost: node\r\n\r\n'.repeat(2_000));
    await new Promise((resolve) => socket.once('close', resolve));
    const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
    assert.ok(statuses.length < 1_500, `${statuses.length}`);
    assert.equal(statuses.at(-1), '429');
    assert.equal((await world.get('/load')).status, 200);
  });

  it('hangs up on a half-sent request, and goes on', async () => {
    const socket = connect(world.server.port, '127.0.0.1');
    socket.write('GET /load HTT\0\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve).resume());
    assert.equal((await world.get('/load')).status, 200);
  });
});
