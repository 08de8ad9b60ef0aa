/** One question to nodes that answer, lie, are slow, or publish nothing. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClusterAnswer, FlowRow } from '../../../crds/flows.ts';
import type { SliceNode } from '../../../crds/types.ts';
import { silentLog } from '../../../kube/log.ts';
import { ASK_LIMITS, createAsker } from '../../../operator/audit/ask.ts';
import { parseAnswer } from '../../../operator/audit/parse.ts';
import { serveClusterAudit } from '../../../operator/audit/server.ts';
import { planTargets } from '../../../operator/fanout/plan.ts';

const row = (given: Partial<FlowRow> = {}): FlowRow => ({
  kind: 'Flow',
  namespace: 'site',
  slice: 'probe',
  capability: 'probe-0',
  contact: 'probe@example.org',
  first: '2026-11-23T12:00:00.000Z',
  last: '2026-11-23T12:00:01.000Z',
  protocol: 6,
  source: '10.0.0.1',
  sourcePort: 40000,
  destination: '192.0.2.1',
  destinationPort: 80,
  tcpFlags: 2,
  packets: 1,
  bytes: 74,
  ...given,
});
const page = (address: string, port: number): SliceNode => ({
  apiVersion: 'slice-operator.io/v1alpha1',
  kind: 'SliceNode',
  metadata: { name: 'x' },
  status: { auditPage: { address, port } },
});
const named = (name: string, node: SliceNode): SliceNode => ({ ...node, metadata: { name } });

describe('whom the question for the whole cluster goes to', () => {
  it('is the nodes that publish a page, at an address that a node can have', () => {
    const nodes = [
      named('a', page('192.0.2.1', 8080)),
      named('b', page('2001:DB8::1', 8080)),
      { ...page('', 0), metadata: { name: 'silent' }, status: {} },
      ...[
        '127.0.0.1',
        '::1',
        '169.254.169.254',
        '0.0.0.0',
        'fe80::1',
        'ff02::1',
        '224.0.0.1',
        '::ffff:127.0.0.1',
        'evil.example',
        '10.0.0.1@evil',
      ].map((address) => named(`bad ${address}`, page(address, 8080))),
      named('bad port', page('192.0.2.1', 22)),
    ];
    const { asked, left } = planTargets(nodes, ({ status }) => status?.auditPage);
    assert.deepEqual(
      asked.map(({ origin }) => origin),
      ['http://192.0.2.1:8080', 'http://[2001:db8::1]:8080'],
    );
    assert.deepEqual(left[0], { node: 'silent' });
    assert.equal(left.length, 12);
    assert.ok(left.slice(1).every(({ error }) => error?.includes('where no node is')));
  });
});

describe("a node's answer", () => {
  it('is read for what the contract has, and refused for anything else', () => {
    const good = JSON.stringify({
      node: 'liar',
      flows: [{ ...row(), extra: 1 }],
      notes: ['n', 7],
      since: 's',
      truncated: 'Time',
    });
    assert.deepEqual(parseAnswer(good, 5), { flows: [row()], notes: ['n'], since: 's', truncated: 'Time' });
    for (const text of [
      '',
      '[]',
      'null',
      '{"flows":{}}',
      '{"flows":[null]}',
      JSON.stringify({ flows: [row({ bytes: -1 })] }),
      JSON.stringify({ flows: [row({ contact: 'x'.repeat(9999) })] }),
      JSON.stringify({ flows: [{ ...row(), kind: '__proto__' }] }),
    ])
      assert.throws(() => parseAnswer(text, 5), text.slice(0, 60));
    assert.throws(() => parseAnswer(JSON.stringify({ flows: [row(), row()] }), 1), /2 rows/);
  });
});

describe('the question for the whole cluster', () => {
  const servers: Server[] = [];
  const nodes: SliceNode[] = [];
  let audit: Awaited<ReturnType<typeof serveClusterAudit>>;
  /** The plan would not go to loopback, where the nodes of this test are. */
  const asker = createAsker({ ...ASK_LIMITS, nodeMs: 500, answerBytes: 100_000 }, (all) => {
    const published = all.filter(({ status }) => status?.auditPage);
    return {
      asked: published.map(({ metadata, status }) => ({
        node: metadata.name,
        origin: `http://127.0.0.1:${status!.auditPage!.port}`,
      })),
      left: all.filter((one) => !published.includes(one)).map(({ metadata }) => ({ node: metadata.name })),
    };
  });

  const node = async (name: string, listener: RequestListener): Promise<void> => {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    nodes.push(named(name, page('192.0.2.1', (server.address() as AddressInfo).port)));
  };
  const json =
    (body: unknown): RequestListener =>
    (_, response) =>
      void response.end(JSON.stringify(body));

  before(async () => {
    let asked = '';
    await node('n1', (request, response) => {
      asked = request.url ?? '';
      json({ node: 'n9', flows: asked.includes('destination=192.0.2.1') ? [row()] : [], notes: ['a note'] })(
        request,
        response,
      );
    });
    await node(
      'n2',
      json({
        flows: [row({ last: '2026-11-23T12:00:09.000Z' }), row({ kind: 'Overflow', bytes: 9 })],
        truncated: 'Rows',
        notes: [],
      }),
    );
    await node('n3-slow', () => undefined);
    await node('n4-huge', (_, response) => void response.end('x'.repeat(200_000)));
    await node(
      'n5-elsewhere',
      (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    );
    await node('n6-lies', json({ flows: [{ evil: '<script>' }] }));
    await node('n7-drips', (_, response) => {
      const drip = setInterval(() => response.write(' '), 50);
      response.once('close', () => clearInterval(drip));
    });
    nodes.push({ ...page('', 0), metadata: { name: 'n8-silent' }, status: {} });
    audit = await serveClusterAudit({ port: 0, host: '127.0.0.1', sliceNodes: () => nodes, asker, log: silentLog() });
  });

  after(async () => {
    await audit.close();
    await asker.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });

  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${audit.port}${path}`);

  it('has all that nodes answered, says which did not and why, and lets no node speak for another', async () => {
    const answer = (await (await get('/flows?destination=192.0.2.1')).json()) as ClusterAnswer;
    assert.deepEqual(
      answer.flows.map(({ node, kind }) => [node, kind]),
      [
        ['n2', 'Flow'],
        ['n1', 'Flow'],
        ['n2', 'Overflow'],
      ],
    );
    assert.deepEqual(
      answer.nodes.map(({ node, result, error }) => [node, result, error]),
      [
        ['n1', 'Answered', undefined],
        ['n2', 'Answered', undefined],
        ['n3-slow', 'Failed', 'it did not answer in time'],
        ['n4-huge', 'Failed', 'its answer is larger than 100000 bytes'],
        ['n5-elsewhere', 'Failed', 'it answered 302'],
        ['n6-lies', 'Failed', 'a row of it makes no sense'],
        ['n7-drips', 'Failed', 'it did not answer in time'],
        ['n8-silent', 'NotPublished', undefined],
      ],
    );
    assert.deepEqual([answer.nodes[0]!.notes, answer.nodes[1]!.truncated], [['a note'], 'Rows']);
  });

  it('is CSV too, with a row for each node that is missing', async () => {
    const lines = (await (await get('/flows.csv?destination=192.0.2.1')).text()).trimEnd().split('\r\n');
    assert.match(lines[0]!, /^node,kind,.*,bytes,error$/);
    assert.equal(lines.length, 1 + 3 + 6);
    assert.ok(
      lines.some((line) => line === `n8-silent${','.repeat(16)}NotPublished`),
      lines.at(-1),
    );
  });

  it('never has more rows than were asked for, and says that there were', async () => {
    const answer = (await (await get('/flows.json?limit=2&destination=192.0.2.1')).json()) as ClusterAnswer;
    assert.deepEqual([answer.flows.length, answer.truncated], [2, 'Rows']);
  });

  it('is refused where it makes no sense', async () => {
    for (const [path, status] of [
      ['/', 404],
      ['/flows.xml', 404],
      ['/flows?port=x', 400],
      [`/flows?slice=${'a'.repeat(3000)}`, 414],
    ] as const) {
      assert.equal((await get(path)).status, status, path);
    }
    assert.equal((await fetch(`http://127.0.0.1:${audit.port}/flows`, { method: 'POST' })).status, 405);
  });
});
