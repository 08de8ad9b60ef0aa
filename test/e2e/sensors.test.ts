/** Sensors on real nodes: the calls of PlanetLab's users, one Sensor of each kind, and those that nobody should write. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { getCondition } from '../../crds/conditions.ts';
import type { Sensor, SensorSpec, Slice } from '../../crds/types.ts';
import { type KubeObject, keyOf, Resources } from '../../kube/resources.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Sliver, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'lab';
const RELEASE = 'slice-system';
/** The same as the example's, by what the workload's image has. */
const BOOT_SCRIPT = `/run/slice/bin/slice-sensors &
exec node -e '
  const answer = (request, response) => response.end("queue,oldest\\n3,12.5\\n");
  require("http").createServer(answer).listen(8085)'
`;
/** The status and the body, on two lines at least; ends with the answer, or after so many lines of it. */
const ASK = `const [url, method, lines, socketPath] = process.argv.slice(1);
const { hostname, port, pathname } = new URL(url);
require("http").request({ ...(socketPath ? { socketPath } : { hostname, port }), path: pathname, method }, (response) => {
  process.stdout.write(response.statusCode + "\\n");
  let seen = 0;
  response.on("data", (chunk) => {
    process.stdout.write(chunk);
    seen += String(chunk).split("\\n").length - 1;
    if (lines > 0 && seen >= lines) process.exit();
  });
  setTimeout(() => process.exit(), 60000).unref();
}).end();`;

interface Answer {
  status: number;
  text: string;
}

describe('sensors', () => {
  let product: Product;
  let slice: Slice;
  let examples: KubeObject[];
  let slivers: Sliver[];
  const managers = new Map<string, string>();

  /** Asks as a process of the node does, which the node manager is. */
  const ask = async (node: string, path: string, method = 'GET', lines = 0): Promise<Answer> => {
    const argv = ['node', '-e', ASK, '--', `http://127.0.0.1:33080${path}`, method, String(lines)];
    return parse(
      await product.kubectl('exec', '-n', RELEASE, managers.get(node)!, '-c', 'node-manager', '--', ...argv),
    );
  };
  const askInside = async ({ pod }: Sliver, path: string): Promise<Answer> => {
    const argv = ['node', '-e', ASK, '--', `http://node${path}`, 'GET', '0', '/run/slice/sensors'];
    return parse(await product.kubectl('exec', '-n', NAMESPACE, pod.metadata.name, '--', ...argv));
  };
  const sensorOf = (name: string, spec: Partial<SensorSpec>, namespace = NAMESPACE): Sensor => ({
    apiVersion: 'slice-operator.io/v1alpha1',
    kind: 'Sensor',
    metadata: { name, namespace },
    spec: { columns: [{ name: 'value', type: 'string' }], ...spec },
  });
  const statusOf = async (name: string, namespace = NAMESPACE): Promise<Sensor['status']> =>
    (await product.get<Sensor>(Resources.Sensor, { name, namespace }))?.status;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    const text = readFileSync(new URL('../../examples/sensors.yaml', import.meta.url), 'utf8');
    examples = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
    slice = examples.find(({ kind }) => kind === 'Slice') as Slice;
    Object.assign(slice.spec.sliver, { image: product.workload, bootScript: BOOT_SCRIPT });
    slice.spec.sliver.terminationGracePeriodSeconds = 1;
    await product.apply(...examples);
    await whenReady(product, slice);
    slivers = await sliversOf(product, slice);
    const pods = await product.list<KubeObject & { spec: { nodeName: string } }>(Resources.Pod, RELEASE);
    for (const { metadata, spec } of pods) {
      if (metadata.labels?.['app.kubernetes.io/component'] === 'node') managers.set(spec.nodeName, metadata.name);
    }
  });
  after(async () => {
    await product.kubectl('delete', 'sensors', '-n', RELEASE, '--all');
    await dropNamespace(product, NAMESPACE);
  });

  it('answer the calls that PlanetLab’s users knew', async () => {
    for (const node of NODES) {
      await product.until('all nodes to be known', async () => {
        const { text } = await ask(node, '/nodes/ip/name');
        assert.match(text, /^ip,name\r\n/);
        return NODES.every((name) => new RegExp(`^[\\d.]+,${name}\\r$`, 'm').test(text));
      });
      assert.match((await ask(node, '/load')).text, /^load1,load5,load15\r\n[\d.]+,[\d.]+,[\d.]+\r\n$/);
      await product.until('what the slice sends', async () => {
        const { text } = await ask(node, '/bandwidth/probe');
        return /^namespace,slice,pod,guarantee,.*\r\nlab,probe,[-\w]+,\d+,/.test(text);
      });
      const head = await ask(node, '/load', 'HEAD');
      assert.deepEqual([head.status, head.text], [200, '']);
      assert.equal((await ask(node, '/load', 'POST')).status, 405);
    }
  });

  it('measure the way to other nodes', async () => {
    const { text } = await ask('node1', '/ping/node2');
    assert.match(text, /\r\nnode1,node2,[\d.]+,3,[123],[\d.]+,/);
    assert.equal((await ask('node1', '/ping/192.0.2.1')).status, 403);
  });

  it('of users are read on each node, one of each kind', async () => {
    for (const node of NODES) {
      await product.until('the page of the sliver to be read', async () => {
        return (await ask(node, '/lab.queue')).text === 'length,oldest\r\n3,12.5\r\n';
      });
      assert.match((await ask(node, `/${RELEASE}.vmstat`)).text, /^faults,swapped_in\r\n\d+,\d+\r\n$/);
      assert.match((await ask(node, '/lab.clock', 'GET', 3)).text, /^now\r\n(?:2\d{3}-\S+Z\r\n){2,}/);
      assert.equal((await ask(node, '/lab.processes')).status, 403);
    }
    for (const sliver of slivers) {
      await product.until('the agent of the sliver to answer', async () => {
        return /^processes\r\n\d+\r\n$/.test((await askInside(sliver, '/lab.processes')).text);
      });
      assert.match((await askInside(sliver, '/flows')).text, /^kind,/);
    }
  });

  it('say in their status what their nodes say', async () => {
    for (const { kind, metadata } of examples.filter((one) => one.kind === 'Sensor')) {
      const { name, namespace } = metadata;
      await product.until(
        `${kind} ${keyOf({ metadata })} to be Ready`,
        async () => {
          const status = await statusOf(name, namespace);
          return status?.nodes === NODES.length && getCondition(status.conditions, 'Ready')?.status === 'True';
        },
        240_000,
      );
    }
    await product.until('readings to be counted', async () => ((await statusOf('queue'))?.readings ?? 0) > 0, 240_000);
  });

  it('that hang, flood, print binary or die are contained, and it is told', async () => {
    // those that end by themselves have time for it
    const run = (...argv: string[]): Partial<SensorSpec> => ({ slice: 'probe', command: { argv }, timeoutSeconds: 30 });
    const hostile: Record<string, [Partial<SensorSpec>, string]> = {
      hangs: [{ ...run('sleep', '1000'), timeoutSeconds: 1 }, 'TimedOut'],
      floods: [run('dd', 'if=/dev/zero', 'bs=1M', 'count=1000'), 'NotText'],
      'floods-with-text': [run('sh', '-c', 'while :; do echo xxxxxxxxxxxxxxxx; done'), 'TooLarge'],
      binary: [run('head', '-c', '100', '/usr/local/bin/node'), 'NotText'],
      dies: [run('sh', '-c', 'kill -9 $$'), 'Died'],
      'not-ours': [{ slice: 'probe', http: { port: 10_250 } }, 'PortNotOwned'],
    };
    await product.apply(...Object.entries(hostile).map(([name, [spec]]) => sensorOf(name, spec)));
    for (const name of Object.keys(hostile)) {
      await product.until(`${name} to be served`, async () => (await ask('node1', `/lab.${name}`)).status >= 502);
    }
    for (const [name, [, reason]] of Object.entries(hostile)) {
      await product.until(
        `${name} to be told`,
        async () => ((await statusOf(name))?.errors ?? []).some((error) => error.reason === reason),
        240_000,
      );
    }
    assert.equal((await ask('node1', '/load')).status, 200);
  });

  it('never read a file for a tenant, nor one that is nobody’s business', async () => {
    await product.apply(sensorOf('theirs', { file: { path: '/proc/meminfo' } }));
    await product.until('it to be refused', async () => {
      const ready = getCondition((await statusOf('theirs'))?.conditions, 'Ready');
      return ready?.reason === 'FileNotAllowed';
    });
    assert.equal((await ask('node1', '/lab.theirs')).status, 404);
    await assert.rejects(
      product.apply(sensorOf('shadow', { file: { path: '/etc/shadow' } }, RELEASE)),
      /spec\.file\.path/,
    );
    await product.apply(sensorOf('process', { file: { path: '/proc/1/environ' } }, RELEASE));
    await product.until('it to be refused', async () => (await ask('node1', `/${RELEASE}.process`)).status === 502);
  });
});

function parse(output: string): Answer {
  const at = output.indexOf('\n');
  return { status: Number(output.slice(0, at)), text: output.slice(at + 1) };
}
