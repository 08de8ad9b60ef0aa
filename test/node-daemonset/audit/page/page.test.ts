/** What a stranger reads on the page, in each of its forms. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { FlowAnswer, PairAnswer, SumAnswer } from '../../../../crds/flows.ts';
import { servePage } from '../../../../node-daemonset/audit/page/server.ts';
import { START } from '../flows.ts';
import { HOSTILE, SETTINGS, VisitedPage } from './visited.ts';

describe("a node's page", () => {
  const visited = new VisitedPage();
  before(() => visited.start());
  after(() => visited.stop());

  it('shows the last hour by slice and by destination', async () => {
    const first = await visited.text('/');
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
    const found = await visited.text('/destination/192.0.2.1');
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
    const json = (await (await visited.get('/destination/192.0.2.1.json')).json()) as FlowAnswer;
    assert.equal(
      json.flows.reduce((sum, { bytes }) => sum + bytes, 0),
      6040,
    );
    const accepted = await visited.get('/destination/192.0.2.1', {
      headers: { accept: 'text/csv;q=0.9, application/json' },
    });
    assert.deepEqual(((await accepted.json()) as FlowAnswer).flows, json.flows);
    const csv = (await visited.text('/destination/192.0.2.1.csv')).split('\r\n');
    assert.equal(
      csv[0],
      'node,kind,first,last,namespace,slice,capability,contact,protocol,source,source_port,destination,destination_port,tcp_flags,packets,bytes',
    );
    assert.equal(csv.length, 1 + json.flows.length + 1);
    assert.ok(
      csv.some((line) => line.includes(`"'=HYPERLINK(""http://evil"")"`)),
      'no spreadsheet computes it',
    );
    const pairs = (await (await visited.get('/', { headers: { accept: 'application/json' } })).json()) as PairAnswer;
    assert.equal(
      pairs.pairs.reduce((sum, { bytes }) => sum + bytes, 0),
      6090,
    );
    assert.match(await visited.text('/index.csv'), /^node,kind,destination,/);
    assert.equal(((await (await visited.get('/slice/site/probe.json')).json()) as FlowAnswer).flows.length, 2);
  });

  it('answers what the form asks, and says what is wrong with a question', async () => {
    const found = await visited.text(
      '/flows?destination=2001%3Adb8%3A%3A%2F32&slice=&protocol=TCP&port=80&from=2026-11-23T11%3A00&to=2026-11-23T12%3A30',
    );
    assert.match(found, /2001:db8::7/);
    assert.doesNotMatch(found, /192\.0\.2\.1</);
    assert.match(found, /value="2001:db8::\/32"/);
    const wrong = await visited.get('/flows?destination=%3Cscript%3E');
    assert.equal(wrong.status, 400);
    assert.match(await wrong.text(), /destination: &quot;&lt;script&gt;&quot; is not an IP address/);
  });

  it('says whom to ask about the machine itself on every page', async () => {
    for (const path of ['/', '/destination/192.0.2.1', '/flows?port=abc', '/nothing']) {
      const found = await visited.text(path);
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
    const other = await servePage({ source, address: '127.0.0.1', port: 0, now: () => visited.node.now });
    const found = await (await fetch(`http://127.0.0.1:${other.port}/destination/192.0.2.1`)).text();
    await other.close();
    const link = '<a href="mailto:noc@example.net?subject=Packets%20from%20node1';
    assert.equal(found.split(link).length, 3, 'in the row and at the end');
    assert.match(found.replaceAll(/\s+/g, ' '), /The machine itself<\/td> ?<td[^>]*><a href="mailto:noc@/);
  });

  it('refuses in the form that was asked for, with a form to try again', async () => {
    const json = await visited.get('/flows.json?port=abc');
    assert.deepEqual([json.status, json.headers.get('content-type')], [400, 'application/json']);
    assert.match(((await json.json()) as { error: string }).error, /^port: "abc" is not a port/);
    const csv = await visited.get('/flows?port=abc', { headers: { accept: 'text/csv' } });
    assert.match(csv.headers.get('content-type')!, /^text\/plain/);
    assert.match(await csv.text(), /^port: "abc" is not [^<]*\n$/);
    const html = await visited.text('/flows?port=abc&slice=site%2Fmean');
    assert.match(html, /name="port" value="abc"/);
    assert.match(html, /name="slice" value="site\/mean"/);
    assert.match(await visited.text('/destination/nowhere%22%3E'), /name="destination" value="nowhere&quot;&gt;"/);
  });

  it('lets nothing that others wrote become a part of it', async () => {
    for (const path of [
      '/',
      '/destination/192.0.2.1',
      '/flows?slice=site%2Fmean',
      `/destination/${encodeURIComponent(HOSTILE)}`,
    ]) {
      const found = await visited.text(path);
      assert.doesNotMatch(found, /<script|<img|onerror=alert\(2\)>|\u202e/, path);
      assert.equal(found.match(/<style>/g)?.length, 1, path);
    }
  });

  it('allows the browser its own style and nothing else', async () => {
    const response = await visited.get('/');
    const policy = response.headers.get('content-security-policy')!;
    const style = /<style>([\s\S]*?)<\/style>/.exec(await response.text())![1]!;
    assert.ok(policy.includes(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`));
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|script-src|\*/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  });

  it('tells programs what each slice sent in this hour, all of it, in one row', async () => {
    const answer = (await (await visited.get('/sums.json')).json()) as SumAnswer;
    const since = new Date(START).toISOString();
    const rows = (
      [
        ['probe', 2, 1050],
        ['mean', 2, 2040],
        ['formula', 1, 3000],
      ] as const
    ).map(([slice, packets, bytes]) => ({ since, namespace: 'site', slice, packets, bytes }));
    assert.deepEqual(answer, { node: 'node1', sums: rows });
    for (const path of ['/sums', '/sums.csv', '/sums.html']) assert.equal((await visited.get(path)).status, 404, path);
    assert.equal((await visited.get('/sums.json?slice=probe')).status, 400);
  });
});
