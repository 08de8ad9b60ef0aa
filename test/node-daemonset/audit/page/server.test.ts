/** What strangers may do to the page: whatever they send, and however many they are. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import type { SumAnswer } from '../../../../crds/flows.ts';
import { servePage } from '../../../../node-daemonset/audit/page/server.ts';
import { openSource } from '../../../../node-daemonset/audit/page/source.ts';
import { HOSTILE, SETTINGS, VisitedPage } from './visited.ts';

describe("the server of a node's page", () => {
  const visited = new VisitedPage();
  before(() => visited.start());
  after(() => visited.stop());

  it('knows GET and HEAD, and no other method and no other path', async () => {
    const head = await visited.get('/', { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
    assert.ok(Number(head.headers.get('content-length')) > 1000);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const refused = await visited.get('/', { method });
      assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'], method);
    }
    for (const path of [
      '/x',
      '/settings',
      '/destination/',
      '/%00',
      '/..%2f..%2fetc%2fpasswd',
      '/constructor',
      '/?x=1',
      '/%zz',
      '/flows?limit=99999',
    ]) {
      const { status } = await visited.get(path);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    }
    assert.equal((await visited.get(`/flows?slice=${'a'.repeat(3000)}`)).status, 414);
  });

  it('answers whatever is sent, and goes on', async () => {
    const known = [
      '/flows?',
      '/destination/',
      '/slice/',
      'destination=',
      'from=',
      '&',
      '%',
      '.json',
      '//',
      '..',
      '\u0000',
    ];
    const path = fc
      .array(fc.oneof(fc.constantFrom(...known), fc.string()))
      .map((parts) => `/${parts.join('')}`.replace(/[\r\n ]/g, ''));
    await fc.assert(
      fc.asyncProperty(path, async (one) => {
        const answer = await visited.raw(`GET ${one} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
        assert.match(answer, /^HTTP\/1\.1 [24]\d\d /, JSON.stringify(answer.slice(0, 80)));
      }),
      { numRuns: 150 },
    );
    for (const bytes of [
      Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7919) & 255)),
      'GET / HTTP/1.1\r\nhost: x\r\n' + 'a: b\r\n'.repeat(5000) + '\r\n',
      'GET http://evil.example/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nabc',
    ]) {
      const answer = await visited.raw(bytes);
      assert.ok(answer === '' || /^HTTP\/1\.1 4\d\d /.test(answer), answer.slice(0, 100));
    }
    assert.equal((await visited.get('/')).status, 200);
  });

  const ask = (port: number, localAddress?: string): Promise<string> =>
    visited.raw('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', port, localAddress);

  it('lets one visitor have so many connections, and others theirs', async () => {
    const small = await visited.publish({ connectionsEach: 3 });
    const held: Socket[] = [];
    for (let i = 0; i < 3; i++) {
      const one = connect(small.port, '127.0.0.1');
      await new Promise((resolve) => one.once('connect', resolve));
      held.push(one);
    }
    assert.match(await ask(small.port, '127.0.0.2'), /^HTTP\/1\.1 200 /);
    assert.ok(held.every((one) => one.readyState === 'open'));
    const closed = new Promise((resolve) => held[0]!.resume().once('close', resolve));
    assert.match(await ask(small.port), /^HTTP\/1\.1 200 /, 'one more takes the place of the oldest');
    await closed;
    for (const one of held) one.destroy();
    await small.close();
  });

  it('closes a connection on which nothing is said', async () => {
    const small = await visited.publish({ idleMs: 200 });
    const one = connect(small.port, '127.0.0.1').resume();
    await new Promise((resolve) => one.once('close', resolve));
    assert.match(await ask(small.port), /^HTTP\/1\.1 200 /);
    await small.close();
  });

  it('gives up on a reader who takes nothing, and serves others meanwhile', async () => {
    const notes = [HOSTILE.repeat(200_000)];
    const answer = { node: 'node1', from: '', to: '', notes, flows: [], pairs: [] };
    const sums = async (): Promise<SumAnswer> => ({ node: 'node1', sums: [] });
    const source = { settings: async () => SETTINGS, flows: async () => answer, pairs: async () => answer, sums };
    const limits = { answerMs: 300 };
    const small = await servePage({ source, address: '127.0.0.1', port: 0, now: () => visited.node.now, limits });
    const slow = connect(small.port, '127.0.0.1').on('error', () => undefined);
    slow.pause();
    // more than the buffers between us hold, so that it waits for the reader
    slow.write('GET /flows.json HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.match(
      await visited.raw('GET /flows.csv HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', small.port),
      /^HTTP\/1\.1 200 /,
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    let taken = 0;
    slow.on('data', (chunk: Buffer) => (taken += chunk.length));
    await new Promise((resolve) => slow.once('close', resolve).resume());
    assert.ok(taken < notes[0]!.length, `${taken} bytes`);
    await small.close();
  });

  it('answers so many requests of one visitor at a time', async () => {
    const small = await visited.publish();
    const all = await visited.raw(
      `${'GET /flows.csv HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20)}GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      small.port,
    );
    const statuses = [...all.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
    assert.equal(statuses.length, 21);
    assert.equal(statuses.filter((status) => status === '503').length, 17);
    await small.close();
  });

  it('says that it cannot answer while the node manager does not', async () => {
    const alone = await servePage({
      source: openSource(join(visited.directory, 'none')),
      address: '127.0.0.1',
      port: 0,
      now: Date.now,
    });
    const response = await fetch(`http://127.0.0.1:${alone.port}/`);
    assert.equal(response.status, 502);
    assert.match(await response.text(), /the node manager does not answer/);
    await alone.close();
  });
});
