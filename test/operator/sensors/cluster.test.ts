/** One question about a sensor to nodes that answer, lie, are slow, flood, or publish nothing. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClusterReading } from '../../../crds/clusterreading.ts';
import type { Reading } from '../../../crds/reading.ts';
import type { SliceNode } from '../../../crds/types.ts';
import { silentLog } from '../../../kube/log.ts';
import { createSensorAsker, SENSOR_LIMITS } from '../../../operator/sensors/ask.ts';
import { parseReading } from '../../../operator/sensors/parse.ts';
import { serveClusterSensors } from '../../../operator/sensors/server.ts';

const load = (value: number): Reading => ({
  columns: [
    { name: 'period', type: 'integer', unit: 'seconds' },
    { name: 'load', type: 'number', metric: 'gauge' },
  ],
  rows: [
    [60, value],
    [300, null],
  ],
  time: 1e12,
});

describe("a node's reading", () => {
  it('is read for what the contract has, and refused for anything else', () => {
    const good = { ...load(1), node: 'liar', columns: load(1).columns.map((one) => ({ ...one, extra: 1 })) };
    assert.deepEqual(parseReading(JSON.stringify(good)), load(1));
    for (const bad of [
      null,
      [],
      { ...load(1), time: 'now' },
      { ...load(1), rows: [[1]] },
      { ...load(1), rows: [['1', 1]] },
      { ...load(1), rows: [[1, {}]] },
      { ...load(1), columns: [{ name: 'a b', type: 'string' }], rows: [] },
      { ...load(1), columns: [{ name: '__proto__', type: 'object' }], rows: [] },
      { ...load(1), columns: [load(1).columns[0], load(1).columns[0]], rows: [] },
      { columns: [{ name: 'a', type: 'string' }], rows: [['x'.repeat(9999)]], time: 1 },
      { columns: Array.from({ length: 65 }, (_, i) => ({ name: `c${i}`, type: 'string' })), rows: [], time: 1 },
    ]) {
      assert.throws(() => parseReading(JSON.stringify(bad)), JSON.stringify(bad).slice(0, 80));
    }
    assert.throws(() => parseReading(''), SyntaxError);
  });
});

describe('a sensor of the whole cluster', () => {
  const servers: Server[] = [];
  const nodes: SliceNode[] = [];
  const paths: string[] = [];
  let running: Awaited<ReturnType<typeof serveClusterSensors>>[] = [];
  let limits = SENSOR_LIMITS;
  /** Told where the question is asked. */
  let ourselves = (_port: number): void => undefined;

  const node = async (name: string, listener?: RequestListener): Promise<void> => {
    const metadata = { name };
    const described = { apiVersion: 'slice-operator.io/v1alpha1', kind: 'SliceNode', metadata } as const;
    if (!listener) return void nodes.push(described);
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    nodes.push({ ...described, status: { sensorPage: { address: '192.0.2.1', port } } });
  };
  const json =
    (body: unknown): RequestListener =>
    ({ url = '' }, response) => {
      paths.push(url);
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    };
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> => {
    // the plan would not go to loopback, where the nodes of this test are
    const asker = createSensorAsker(
      limits,
      (all, pageOf) => ({
        asked: all.flatMap((one) => {
          const page = pageOf(one);
          return page ? [{ node: one.metadata.name, origin: `http://127.0.0.1:${page.port}` }] : [];
        }),
        left: all.filter((one) => !pageOf(one)).map(({ metadata }) => ({ node: metadata.name })),
      }),
      () => 2e12,
    );
    const server = await serveClusterSensors({
      port: 0,
      host: '127.0.0.1',
      sliceNodes: () => nodes,
      asker,
      log: silentLog(),
    });
    ourselves(server.port);
    running.push({ ...server, close: async () => void (await Promise.all([server.close(), asker.close()])) });
    return await fetch(`http://127.0.0.1:${server.port}${path}`, { headers, method });
  };

  beforeEach(() => {
    limits = { ...SENSOR_LIMITS, nodeMs: 500 };
    ourselves = () => undefined;
    nodes.length = 0;
    paths.length = 0;
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('is one table with a node column, as CSV', async () => {
    await node('b', json(load(2)));
    await node('a', json(load(1)));
    const response = await get('/load');
    assert.equal(response.headers.get('content-type'), 'text/csv; charset=utf-8; header=present');
    assert.deepEqual((await response.text()).split('\r\n'), [
      'node,period,load,error',
      'a,60,1,',
      'a,300,,',
      'b,60,2,',
      'b,300,,',
      '',
    ]);
  });

  it('marks what is missing, in CSV and JSON', async () => {
    await node('good', json(load(1)));
    await node('silent');
    await node('slow', () => undefined);
    await node('liar', json({ columns: [], rows: [[1]], time: 0 }));
    await node('without', (_, response) => void response.writeHead(404).end('nothing of the kind <script>'));
    await node('stream', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write('{"columns":[]}\n');
    });
    await node('flood', (_, response) => {
      const more = (): void => void (response.destroyed || response.write('x'.repeat(65536), () => setImmediate(more)));
      more();
    });
    await node('other', json({ ...load(1), columns: [{ name: 'period', type: 'string' }], rows: [['60']] }));
    const found = (await (await get('/load.json')).json()) as ClusterReading;
    const told = Object.fromEntries(found.nodes.map(({ node: name, result, error }) => [name, error ?? result]));
    assert.deepEqual(told, {
      flood: 'its answer is larger than 1048576 bytes',
      good: 'Answered',
      liar: 'a row of it is no row of its columns',
      other: 'its column period is of type string, unlike that of other nodes',
      silent: 'NotPublished',
      slow: 'it did not answer in time',
      stream: 'it streams, without an end: ask the node itself',
      without: 'it answered 404: it knows no such thing',
    });
    assert.equal(found.rows.length, 2);
    assert.equal(found.time, 2e12);
    assert.equal(found.nodes.find(({ node: name }) => name === 'good')?.time, 1e12);
    const csv = await (await get('/load')).text();
    assert.match(csv, /^silent,,,NotPublished\r$/m);
    assert.match(csv, /^slow,,,it did not answer in time\r$/m);
    assert.doesNotMatch(csv, /script/);
  });

  it('keeps a column of the sensor that is called node, and columns that only some nodes have', async () => {
    const columns = [{ name: 'node', type: 'string' }] as const;
    await node('a', json({ columns, rows: [['theirs']], time: 1 }));
    await node('b', json({ columns: [...columns, { name: 'more', type: 'integer' }], rows: [['x', 7]], time: 1 }));
    const { columns: names, rows } = (await (
      await get('/nodes', { accept: 'application/json' })
    ).json()) as ClusterReading;
    assert.deepEqual(
      names.map(({ name }) => name),
      ['node', 'node_', 'more'],
    );
    assert.deepEqual(rows, [
      ['a', 'theirs', null],
      ['b', 'x', 7],
    ]);
  });

  it('has no more rows than its limit, and says whose are missing', async () => {
    await node('a', json(load(1)));
    await node('b', json(load(2)));
    limits = { ...limits, maxRows: 3 };
    const csv = await (await get('/load')).text();
    assert.match(csv, /b,60,2,\r\nb,,,there are more rows than fit into one answer/);
    limits = { ...limits, maxRows: 100, allBytes: 250 };
    const found = (await (await get('/load.json')).json()) as ClusterReading;
    assert.deepEqual(found.nodes.map(({ result }) => result).toSorted(), ['Answered', 'Failed']);
  });

  it('lets no node decide alone of what type a column is, or take the rows of others', async () => {
    const flood = { ...load(0), rows: Array.from({ length: 50 }, () => [1, 1]) };
    await node(
      'a-liar',
      json({ ...load(0), columns: [load(0).columns[0], { name: 'load', type: 'string' }], rows: [] }),
    );
    await node('a-flood', json(flood));
    await node('b', json(load(1)));
    await node('c', json(load(2)));
    limits = { ...limits, maxRows: 12, allBytes: 1_000 };
    const { rows, nodes: told } = (await (await get('/load.json')).json()) as ClusterReading;
    assert.deepEqual(rows.filter(([name]) => name === 'b' || name === 'c').length, 4);
    assert.ok(rows.length <= 12);
    const wrong = told.filter(({ result, truncated }) => result !== 'Answered' || truncated);
    assert.deepEqual(
      wrong.map(({ node: name }) => name),
      ['a-flood', 'a-liar'],
    );
    assert.match(wrong[1]!.error!, /column load is of type string, unlike that of other nodes/);
  });

  it('asks nobody in a circle, where a node says that it is at our own address', async () => {
    await node('honest', json(load(1)));
    const stolen: SliceNode = { ...nodes[0]!, metadata: { name: 'stolen' } };
    // where the question is asked, known only once it listens
    nodes.push(stolen);
    ourselves = (port) => void (stolen.status = { sensorPage: { address: '192.0.2.1', port } });
    const { nodes: told } = (await (await get('/load.json')).json()) as ClusterReading;
    assert.deepEqual(
      told.map(({ node: name, error }) => [name, error]),
      [
        ['honest', undefined],
        ['stolen', 'its status names an address of our own'],
      ],
    );
    assert.equal(paths.length, 1);
  });

  it('keeps a sensor’s own column error apart from its own', async () => {
    await node('a', json({ columns: [{ name: 'error', type: 'string' }], rows: [['theirs']], time: 1 }));
    assert.equal(await (await get('/errors')).text(), 'node,error_,error\r\na,theirs,\r\n');
  });

  it('passes arguments on as they are, and asks only the nodes that are named', async () => {
    await node('a', json(load(1)));
    await node('b', json(load(2)));
    await get('/bandwidth/site%2Fweb/10.0.0.1.json?node=b');
    await get('/.csv?node=b&node=a');
    assert.deepEqual(paths, ['/bandwidth/site%2Fweb/10.0.0.1.json', '/.json', '/.json']);
    assert.equal((await get('/load?node=c')).status, 404);
  });

  it('takes GET and HEAD of an address that can be one', async () => {
    await node('a', json(load(1)));
    assert.equal((await get('/load', {}, 'POST')).status, 405);
    const head = await get('/load', {}, 'HEAD');
    assert.deepEqual([head.status, await head.text()], [200, '']);
    for (const path of ['/a//b', '/%ff', '/a%00b']) assert.equal((await get(path)).status, 400, path);
    assert.equal((await get(`/${'x'.repeat(3000)}`)).status, 414);
  });
});
