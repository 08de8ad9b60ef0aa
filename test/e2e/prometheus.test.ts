/** A real Prometheus over the operator and the node managers: what it scrapes, what it answers, what it would alert. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { API_VERSION } from '../../crds/names.ts';
import { Resources } from '../../kube/resources.ts';
import { percentile } from '../bench/percentile.ts';
import { promtool } from '../chart/prometheus/promtool.ts';
import { asked, readPanels } from '../chart/prometheus/queries.ts';
import { NAMESPACE as RELEASE } from '../chart/render.ts';
import { hostAddress, nodeAddress, nodeNumber } from '../cluster/config.ts';
import { PrometheusServer } from './prometheus-server.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Pod, sliceOf, type Sliver, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'metrics';
const GUARANTEE = 20e6;
const RATE = 30e6;
const PORT = 5_201;
/** Bytes of a datagram's payload, and what Ethernet, IP and UDP put before it: egress is counted at layer 2. */
const PAYLOAD = 1_400;
const HEADERS = 14 + 20 + 8;

/** Where nodes publish their sensors. */
const SENSORS_PORT = 8_090;
const SENSOR = {
  apiVersion: API_VERSION,
  kind: 'Sensor',
  metadata: { name: 'exported', namespace: RELEASE },
  spec: {
    file: { path: '/proc/vmstat' },
    format: 'KeyValue',
    columns: [{ name: 'faults', field: 'pgfault', type: 'integer', metric: 'counter', help: 'Page faults.' }],
    export: true,
  },
};

describe('Prometheus', () => {
  let product: Product;
  let sliver: Sliver;
  let prometheus: PrometheusServer;
  let targets: { address: string; node: string }[];

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    const resources = {
      cpu: { shares: 200, excess: 'None' as const },
      egress: { guarantee: String(GUARANTEE), limit: '50M' },
    };
    const slice = sliceOf(product, NAMESPACE, 'sender', { placement: { count: 1 }, resources });
    await product.apply(slice);
    await whenReady(product, slice);
    sliver = (await sliversOf(product, slice))[0]!;
    const pods = await product.list<Pod>(Resources.Pod, RELEASE);
    const operators = pods.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'operator');
    const { index } = product.cluster;
    targets = [
      ...NODES.map((node) => ({ node, address: `${nodeAddress(index, nodeNumber(node))}:33081` })),
      ...operators.map(({ spec, status }) => ({ node: spec.nodeName!, address: `${status!.podIP}:8081` })),
    ];
    prometheus = await PrometheusServer.start(targets, '1s');
  });
  after(async () => {
    await prometheus?.close();
    await product.kubectl('delete', 'sensor', '-n', RELEASE, SENSOR.metadata.name, '--ignore-not-found');
    await dropNamespace(product, NAMESPACE);
  });

  it('scrapes the operator and every node manager', async () => {
    await product.until('every target to be up', async () => {
      const up = await prometheus.query('up == 1');
      return up.length === targets.length;
    });
  });

  it('gets metrics that its own checker accepts', async () => {
    for (const { address } of targets) {
      const text = await (await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
      await promtool(['check', 'metrics'], text);
    }
  });

  it('says what a sliver was promised, and what it got within 5 % of what iperf3 says', async () => {
    const labels = `namespace="${NAMESPACE}",slice="sender",node="${sliver.node}"`;
    const promised = await prometheus.query(`8 * slice_sliver_egress_guarantee_bytes_per_second{${labels}}`);
    assert.deepEqual(
      promised.map(({ value }) => value),
      [GUARANTEE],
    );

    const server = spawn('iperf3', ['-s', '-1', '-p', String(PORT), '-B', hostAddress(product.cluster.index)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = once(server, 'exit');
    try {
      const { namespace, name } = sliver.pod.metadata;
      const client = ['-J', '-u', '-b', String(RATE), '-l', String(PAYLOAD), '-t', '20', '-p', String(PORT)];
      const sending = product.kubectl(
        ...['exec', '-n', namespace!, name, '--', 'iperf3', ...client, '-c', hostAddress(product.cluster.index)],
      );
      // as iperf3 counts, without the headers of each packet; seconds 4 to 19 of the 20
      const sent = `increase(slice_sliver_egress_bytes_total{${labels}}[10s])`;
      const packets = `increase(slice_sliver_egress_packets_total{${labels}}[10s])`;
      const seen: number[] = [];
      const watching = (async () => {
        for (let asks = 0; asks < 19; asks++) {
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          const [found] = await prometheus.query(`sum((${sent} - ${HEADERS} * ${packets}) * 8 / 10)`);
          if (asks >= 13) seen.push(found?.value ?? 0);
        }
      })();
      const [output] = await Promise.all([sending, watching]);
      const { end } = JSON.parse(output) as { end: { sum: { bits_per_second: number } } };
      const own = end.sum.bits_per_second;
      const got = percentile(seen, 50);
      assert.ok(Math.abs(got / own - 1) < 0.05, `Prometheus: ${got} bit/s, iperf3: ${own} bit/s`);
    } finally {
      server.kill();
      await ended;
    }
  });

  it('has an answer to the query of every panel of the dashboard', async () => {
    const queries = readPanels().flatMap(({ title, targets: some = [] }) => some.map(({ expr }) => ({ title, expr })));
    assert.ok(queries.length > 20);
    let without: string[] = [];
    await product
      .until(
        'data in every panel',
        async () => {
          // a pass is due every minute, and its rate is asked for
          const answers = await Promise.all(queries.map(({ expr }) => prometheus.query(asked(expr, '90s'))));
          without = queries.flatMap(({ title, expr }, i) => (answers[i]!.length > 0 ? [] : [`${title}: ${expr}`]));
          return without.length === 0;
        },
        150_000,
      )
      .catch((error: Error) => {
        throw new Error(`${error.message}: there is none in\n${without.join('\n')}`, { cause: error });
      });
  });

  it('evaluates every rule', async () => {
    await product.until('the rules to be evaluated', async () => (await prometheus.ruleProblems()).length === 0);
    assert.notDeepEqual(await prometheus.query(`slice:egress_bytes:rate2m{namespace="${NAMESPACE}"}`), []);
    // nothing is wrong: what a sliver wants beyond its guarantee is no broken promise
    assert.deepEqual(await prometheus.query('ALERTS{alertname="SliceEgressGuaranteeNotMet", alertstate="firing"}'), []);
  });

  it('gets the columns of a Sensor that is exported, from every node', async () => {
    await product.apply(SENSOR);
    const query = `slice_sensor_faults_total{sensor="${RELEASE}.${SENSOR.metadata.name}"}`;
    await product.until('the sensor to be scraped', async () => {
      const found = await prometheus.query(query);
      return NODES.every((node) => found.some(({ metric, value }) => metric.node === node && value > 0));
    });
  });
});

describe('the sensors of all nodes', () => {
  let product: Product;
  let origin: string;

  const publish = async (node: string, page: object | null): Promise<void> => {
    const patch = JSON.stringify({ spec: { sensors: page && { page } } });
    await product.kubectl('patch', 'slicenode', node, '--type=merge', '-p', patch);
  };
  const ask = async (path: string): Promise<string> => {
    const response = await fetch(`${origin}${path}`, { signal: AbortSignal.timeout(40_000) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return text;
  };

  before(async () => {
    product = await sharedProduct();
    const pods = await product.list<Pod>(Resources.Pod, RELEASE);
    const operator = pods.find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'operator');
    origin = `http://${operator!.status!.podIP}:8083`;
    for (const node of NODES) await publish(node, { port: SENSORS_PORT });
  });
  after(async () => {
    for (const node of NODES) await publish(node, null);
  });

  it('are one table', async () => {
    let csv = '';
    await product
      .until('every node to answer', async () => {
        csv = await ask('/load');
        return NODES.every((node) => new RegExp(`^${node},[\\d.]+,[\\d.]+,[\\d.]+,\\r$`, 'm').test(csv));
      })
      .catch((error: Error) => {
        throw new Error(`${error.message}: it was\n${csv}`, { cause: error });
      });
    assert.match(csv, /^node,load1,load5,load15,error\r\n/);
    const { nodes } = JSON.parse(await ask('/load.json')) as { nodes: { node: string; result: string }[] };
    // nodes that were taken away keep their SliceNodes
    const results = new Map(nodes.map(({ node, result }) => [node, result]));
    for (const node of NODES) assert.equal(results.get(node), 'Answered');
    assert.match(await ask('/nodes/ip/name'), new RegExp(`^${NODES[0]},[\\d.]+,${NODES[1]},\\r$`, 'm'));
  });

  it('say whose is missing', async () => {
    await publish(NODES[1], null);
    await product.until('the other to be told as missing', async () =>
      new RegExp(`^${NODES[1]},,,,NotPublished\\r$`, 'm').test(await ask('/load')),
    );
    assert.match(await ask('/load'), new RegExp(`^${NODES[0]},[\\d.]`, 'm'));
  });
});
