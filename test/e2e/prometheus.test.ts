/** A real Prometheus over the operator and the node managers: what it scrapes, what it answers, what it would alert. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { API_VERSION } from '../../crds/names.ts';
import { Resources } from '../../kube/resources.ts';
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

/** What iperf3's client says of all that it sent by UDP. */
interface Iperf3Sum {
  seconds: number;
  bytes: number;
  lost_packets?: number;
}

/** Whether anybody takes TCP connections at this port of the machine, by IPv4: asked by a connection, iperf3 would serve that one. */
function isListening(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`^ *\\d+: [\\dA-F]{8}:${hex} 00000000:0000 0A `, 'm').test(readFileSync('/proc/net/tcp', 'utf8'));
}

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
      const text = await (await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(30_000) })).text();
      await promtool(['check', 'metrics'], text);
    }
  });

  it('says what a sliver was promised, and what it got within 5 % of what iperf3 says', async () => {
    const labels = `namespace="${NAMESPACE}",slice="sender",node="${sliver.node}"`;
    const valuesOf = async (expr: string): Promise<number[]> =>
      (await prometheus.query(expr)).map(({ value }) => value);
    const promised = `8 * slice_sliver_egress_guarantee_bytes_per_second{${labels}}`;
    await product.until('the promise to be scraped', async () => (await valuesOf(promised)).length > 0);
    assert.deepEqual(await valuesOf(promised), [GUARANTEE]);
    // as iperf3 counts, without the headers of each packet
    const [bytes, packets] = ['bytes', 'packets'].map((what) => `slice_sliver_egress_${what}_total{${labels}}`);
    const payload = `sum(${bytes} - ${HEADERS} * ${packets})`;
    /** What was counted, once several scrapes have seen no more of it. */
    const whenStill = async (): Promise<number> => {
      const still = `max(changes(${bytes}[5s])) == 0 and min(count_over_time(${bytes}[5s])) >= 3`;
      await product.until('the counter to stand still', async () => (await prometheus.query(still)).length > 0);
      return (await valuesOf(payload))[0]!;
    };

    const server = spawn('iperf3', ['-s', '-1', '-p', String(PORT), '-B', hostAddress(product.cluster.index)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = once(server, 'exit');
    try {
      await product.until('iperf3 to listen', () => Promise.resolve(isListening(PORT)));
      const before = await whenStill();
      const { namespace, name } = sliver.pod.metadata;
      const client = ['-J', '-u', '-b', String(RATE), '-l', String(PAYLOAD), '-t', '20', '-p', String(PORT)];
      const output = await product.kubectl(
        ...['exec', '-n', namespace!, name, '--', 'iperf3', ...client, '-c', hostAddress(product.cluster.index)],
      );
      const { end } = JSON.parse(output) as { end: { sum: Iperf3Sum } };
      const { seconds, bytes: sent, lost_packets: lost = 0 } = end.sum;
      const got = (await whenStill()) - before;
      const inWords = [got, sent].map((one) => `${Math.round((one * 8) / seconds)} bit/s`);
      // what a queue dropped was not sent, what a busy server did not read in time was
      const isBetween = got > 0.95 * (sent - lost * PAYLOAD) && got < 1.05 * sent;
      assert.ok(isBetween, `Prometheus: ${inWords[0]}, iperf3: ${inWords[1]}, of which ${lost} packets were lost`);
      assert.ok(lost * PAYLOAD < sent / 2, `${lost} packets of ${sent} bytes in all were lost`);
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
        300_000,
      )
      .catch((error: Error) => {
        throw new Error(`${error.message}: there is none in\n${without.join('\n')}`, { cause: error });
      });
  });

  it('evaluates every rule', async () => {
    await product.until('the rules to be evaluated', async () => (await prometheus.ruleProblems()).length === 0);
    await product.until('what a rule records', async () => {
      return (await prometheus.query(`slice:egress_bytes:rate2m{namespace="${NAMESPACE}"}`)).length > 0;
    });
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

  /** Asks until the answer is of this kind; what it was last is in the error's text. */
  const whenAnswered = async (path: string, test: (text: string) => boolean): Promise<void> => {
    let last = '';
    const isSo = async (): Promise<boolean> => {
      last = await ask(path).catch((error: Error) => error.message);
      return test(last);
    };
    await product.until(`${path} to be as expected`, isSo).catch((error: Error) => {
      throw new Error(`${error.message}: it was\n${last}`, { cause: error });
    });
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
    const isWhole = (csv: string): boolean =>
      csv.startsWith('node,load1,load5,load15,error\r\n') &&
      NODES.every((node) => new RegExp(`^${node},[\\d.]+,[\\d.]+,[\\d.]+,\\r$`, 'm').test(csv));
    await whenAnswered('/load', isWhole);
    await whenAnswered('/load.json', (json) => {
      if (!json.startsWith('{')) return false;
      const { nodes } = JSON.parse(json) as { nodes: { node: string; result: string }[] };
      // nodes that were taken away keep their SliceNodes
      const results = new Map(nodes.map(({ node, result }) => [node, result]));
      return NODES.every((node) => results.get(node) === 'Answered');
    });
    const other = new RegExp(`^${NODES[0]},[\\d.]+,${NODES[1]},\\r$`, 'm');
    await whenAnswered('/nodes/ip/name', (csv) => other.test(csv));
  });

  it('say whose is missing', async () => {
    await publish(NODES[1], null);
    const missing = new RegExp(`^${NODES[1]},,,,NotPublished\\r$`, 'm');
    await whenAnswered('/load', (csv) => missing.test(csv) && new RegExp(`^${NODES[0]},[\\d.]`, 'm').test(csv));
  });
});
