/** The page as a stranger has it: over HTTP, with the node manager's socket behind it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import type { FlowAnswer, PairAnswer, SumAnswer } from '../../../../crds/flows.ts';
import type { Listening } from '../../../../kube/listen.ts';
import { servePage, type Limits } from '../../../../node-daemonset/audit/page/server.ts';
import { openSource } from '../../../../node-daemonset/audit/page/source.ts';
import { type PageSettings, serveAudit } from '../../../../node-daemonset/audit/server.ts';
import type { FlowLog } from '../../../../node-daemonset/audit/flowlog.ts';
import { makeIdentity, RecordedNode, START } from '../flows.ts';

const HOSTILE = `"><script>alert('1')</script><img src=x onerror=alert(2)>&amp;\u202e`;
const SETTINGS: PageSettings = {
  node: 'node1',
  listen: undefined,
  contact: HOSTILE,
  description: HOSTILE,
};

const directory = mkdtempSync(join(tmpdir(), 'page-'));
const socket = join(directory, 'query.sock');
const node = new RecordedNode();
let log: FlowLog;
let manager: { close(): Promise<void> };
let page: Listening;

async function publish(limits: Partial<Limits> = {}): Promise<Listening> {
  return servePage({ source: openSource(socket), address: '127.0.0.1', port: 0, now: () => node.now, limits });
}

before(async () => {
  log = node.open();
  await log.start();
  node.identities.set(2, makeIdentity('mean', { contact: HOSTILE }));
  node.identities.set(3, makeIdentity('formula', { contact: '=HYPERLINK("http://evil")' }));
  for (const sliver of [1, 2, 3]) node.sends({ sliver, bytes: 1000 * sliver });
  node.sends({ sliver: 1, destination: '2001:db8::7', bytes: 50 });
  node.sends({ sliver: 2, protocol: 255, source: '', destination: '', bytes: 40 });
  await log.drain();
  manager = await serveAudit({ socket, group: undefined, flows: log, settings: () => SETTINGS, now: () => node.now });
  page = await publish();
});

after(async () => {
  await page.close();
  await manager.close();
  await log.stop();
  for (const one of [directory, node.directory]) rmSync(one, { recursive: true });
});

const get = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${page.port}${path}`, init);
const text = async (path: string): Promise<string> => (await get(path)).text();

/** Sends bytes as they are, and returns what comes back until the other side closes. */
function raw(bytes: string | Buffer, port = page.port, localAddress = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = connect({ port, host: '127.0.0.1', localAddress }, () => client.write(bytes));
    let answer = '';
    client.setTimeout(15_000, () => reject(new Error('no answer and no end')));
    client.on('data', (chunk) => (answer += chunk.toString('latin1')));
    client.on('error', () => resolve(answer));
    client.on('close', () => resolve(answer));
  });
}

describe("a node's page", () => {
  it('shows the last hour by slice and by destination', async () => {
    const first = await text('/');
    assert.match(first, /What node1 sent/);
    for (const expected of [
      'site/probe',
      '192.0.2.1',
      '2001:db8::7',
      '/slice/site/probe',
      '/destination/2001:db8::7',
    ]) {
      assert.ok(first.includes(expected), expected);
    }
    assert.match(first, /What was sent to it|what was sent to it/);
  });

  it('shows on the page of a destination every slice that sent to it, with a letter to its contact', async () => {
    const found = await text('/destination/192.0.2.1');
    for (const slice of ['site/probe', 'site/mean', 'site/formula']) assert.ok(found.includes(slice), slice);
    const href = /href="(mailto:probe@example\.org[^"]*)"/.exec(found)?.[1]?.replaceAll('&amp;', '&');
    const letter = new URL(href!);
    const subject = letter.searchParams.get('subject')!;
    const body = letter.searchParams.get('body')!;
    assert.equal(subject, 'Packets from slice site/probe on node1 to 192.0.2.1');
    assert.match(
      body,
      /^Hello,\r\n\r\nyour slice site\/probe on the machine node1 sent 1 packets \(1000 bytes\) to 192\.0\.2\.1/,
    );
    assert.doesNotMatch(href!, /\+/, 'mail programs take a plus for a plus');
    assert.doesNotMatch(found, /2001:db8::7/);
    assert.match(found, /Nobody noted whereto/);
  });

  it('has the same as JSON and as CSV, by ending and by what is accepted', async () => {
    const json = (await (await get('/destination/192.0.2.1.json')).json()) as FlowAnswer;
    assert.equal(
      json.flows.reduce((sum, { bytes }) => sum + bytes, 0),
      6040,
    );
    const accepted = await get('/destination/192.0.2.1', { headers: { accept: 'text/csv;q=0.9, application/json' } });
    assert.deepEqual(((await accepted.json()) as FlowAnswer).flows, json.flows);
    const csv = (await text('/destination/192.0.2.1.csv')).split('\r\n');
    assert.equal(
      csv[0],
      'node,kind,first,last,namespace,slice,capability,contact,protocol,source,source_port,destination,destination_port,tcp_flags,packets,bytes',
    );
    assert.equal(csv.length, 1 + json.flows.length + 1);
    assert.ok(
      csv.some((line) => line.includes(`"'=HYPERLINK(""http://evil"")"`)),
      'no spreadsheet computes it',
    );
    const pairs = (await (await get('/', { headers: { accept: 'application/json' } })).json()) as PairAnswer;
    assert.equal(
      pairs.pairs.reduce((sum, { bytes }) => sum + bytes, 0),
      6090,
    );
    assert.match(await text('/index.csv'), /^node,kind,destination,/);
    assert.equal(((await (await get('/slice/site/probe.json')).json()) as FlowAnswer).flows.length, 2);
  });

  it('answers what the form asks, and says what is wrong with a question', async () => {
    const found = await text(
      '/flows?destination=2001%3Adb8%3A%3A%2F32&slice=&protocol=TCP&port=80&from=2026-11-23T11%3A00&to=2026-11-23T12%3A30',
    );
    assert.match(found, /2001:db8::7/);
    assert.doesNotMatch(found, /192\.0\.2\.1</);
    assert.match(found, /value="2001:db8::\/32"/);
    const wrong = await get('/flows?destination=%3Cscript%3E');
    assert.equal(wrong.status, 400);
    assert.match(await wrong.text(), /destination: &quot;&lt;script&gt;&quot; is not an IP address/);
  });

  it('says whom to ask about the machine itself on every page', async () => {
    for (const path of ['/', '/destination/192.0.2.1', '/flows?port=abc', '/nothing']) {
      const found = await text(path);
      assert.match(found, /Whoever answers for the machine itself: &quot;&gt;&lt;script/, path);
    }
    const settings = { ...SETTINGS, contact: 'noc@example.net' };
    const none = { node: 'node1', from: '', to: '', notes: [], flows: [] };
    const counts = { packets: 1, bytes: 1, first: '', last: '' };
    const row = { kind: 'Unattributed', namespace: '', slice: '', contact: '', destination: '', ...counts } as const;
    const source = {
      settings: async () => settings,
      flows: async () => none,
      pairs: async () => ({ ...none, pairs: [{ ...row, capability: '', flows: 1 }] }),
      sums: () => Promise.reject(new Error('nobody asks')),
    };
    const other = await servePage({ source, address: '127.0.0.1', port: 0, now: () => node.now });
    const found = await (await fetch(`http://127.0.0.1:${other.port}/destination/192.0.2.1`)).text();
    await other.close();
    const link = '<a href="mailto:noc@example.net?subject=Packets%20from%20node1';
    assert.equal(found.split(link).length, 3, 'in the row and at the end');
    assert.match(found.replaceAll(/\s+/g, ' '), /The machine itself<\/td> ?<td[^>]*><a href="mailto:noc@/);
  });

  it('refuses in the form that was asked for, with a form to try again', async () => {
    const json = await get('/flows.json?port=abc');
    assert.deepEqual([json.status, json.headers.get('content-type')], [400, 'application/json']);
    assert.match(((await json.json()) as { error: string }).error, /^port: "abc" is not a port/);
    const csv = await get('/flows?port=abc', { headers: { accept: 'text/csv' } });
    assert.match(csv.headers.get('content-type')!, /^text\/plain/);
    assert.match(await csv.text(), /^port: "abc" is not [^<]*\n$/);
    const html = await text('/flows?port=abc&slice=site%2Fmean');
    assert.match(html, /name="port" value="abc"/);
    assert.match(html, /name="slice" value="site\/mean"/);
    assert.match(await text('/destination/nowhere%22%3E'), /name="destination" value="nowhere&quot;&gt;"/);
  });

  it('lets nothing that others wrote become a part of it', async () => {
    for (const path of [
      '/',
      '/destination/192.0.2.1',
      '/flows?slice=site%2Fmean',
      `/destination/${encodeURIComponent(HOSTILE)}`,
    ]) {
      const found = await text(path);
      assert.doesNotMatch(found, /<script|<img|onerror=alert\(2\)>|\u202e/, path);
      assert.equal(found.match(/<style>/g)?.length, 1, path);
    }
  });

  it('allows the browser its own style and nothing else', async () => {
    const response = await get('/');
    const policy = response.headers.get('content-security-policy')!;
    const style = /<style>([\s\S]*?)<\/style>/.exec(await response.text())![1]!;
    assert.ok(policy.includes(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`));
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|script-src|\*/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  });

  it('tells programs what each slice sent in this hour, all of it, in one row', async () => {
    const answer = (await (await get('/sums.json')).json()) as SumAnswer;
    const since = new Date(START).toISOString();
    const rows = (
      [
        ['probe', 2, 1050],
        ['mean', 2, 2040],
        ['formula', 1, 3000],
      ] as const
    ).map(([slice, packets, bytes]) => ({ since, namespace: 'site', slice, packets, bytes }));
    assert.deepEqual(answer, { node: 'node1', sums: rows });
    for (const path of ['/sums', '/sums.csv', '/sums.html']) assert.equal((await get(path)).status, 404, path);
    assert.equal((await get('/sums.json?slice=probe')).status, 400);
  });

  it('knows GET and HEAD, and no other method and no other path', async () => {
    const head = await get('/', { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
    assert.ok(Number(head.headers.get('content-length')) > 1000);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const refused = await get('/', { method });
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
      const { status } = await get(path);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    }
    assert.equal((await get(`/flows?slice=${'a'.repeat(3000)}`)).status, 414);
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
        const answer = await raw(`GET ${one} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
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
      const answer = await raw(bytes);
      assert.ok(answer === '' || /^HTTP\/1\.1 4\d\d /.test(answer), answer.slice(0, 100));
    }
    assert.equal((await get('/')).status, 200);
  });

  const ask = (port: number, localAddress?: string): Promise<string> =>
    raw('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', port, localAddress);

  it('lets one visitor have so many connections, and others theirs', async () => {
    const small = await publish({ connectionsEach: 3 });
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
    const small = await publish({ idleMs: 200 });
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
    const small = await servePage({ source, address: '127.0.0.1', port: 0, now: () => node.now, limits });
    const slow = connect(small.port, '127.0.0.1').on('error', () => undefined);
    slow.pause();
    // more than the buffers between us hold, so that it waits for the reader
    slow.write('GET /flows.json HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.match(
      await raw('GET /flows.csv HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', small.port),
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
    const small = await publish();
    const all = await raw(
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
      source: openSource(join(directory, 'none')),
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
