/** A broker that is a sliver: rights acquired, split, bound and released from within a pod, over its own socket. */
import assert from 'node:assert/strict';
import { LABEL_LOCAL } from '../../crds/names.ts';
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import type { LocalCapability } from '../../node-daemonset/local/rights.ts';
import type { Pod } from '../../operator/kinds.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Sliver, sliceOf, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'local-broker';
const RELEASE = 'slice-system';
/** The status and the body, on two lines. */
const ASK = `const [socketPath, method, path, body] = process.argv.slice(1);
require("http").request({ socketPath, method, path }, (response) => {
  process.stdout.write(response.statusCode + "\\n");
  response.pipe(process.stdout);
}).end(body);`;
const OWN_SOCKET = '/run/slice/capabilities';
const OFFERED = { privileges: ['RawSockets', 'Capabilities'] };

interface Told {
  status: number;
  right: LocalCapability;
  code?: string;
}

describe('the local API', () => {
  let product: Product;
  let broker: Slice;
  let plain: Slice;
  let course: Slice;
  let own: Sliver;

  const offer = async (privileges: string[] | null): Promise<void> => {
    for (const name of NODES) await product.client.patch(Resources.SliceNode, { name }, { spec: { privileges } });
    for (const name of NODES) {
      await product.until(`${name} to go by it`, async () => {
        const { metadata, status } = (await product.get<SliceNode>(Resources.SliceNode, { name }))!;
        return status?.observedGeneration === metadata.generation;
      });
    }
  };
  const ask = async (pod: string, method: string, path: string, body?: object, socket = OWN_SOCKET): Promise<Told> => {
    const argv = ['node', '-e', ASK, '--', socket, method, path, ...(body ? [JSON.stringify(body)] : [])];
    const text = await product.kubectl('exec', '-n', NAMESPACE, pod, '--', ...argv);
    const [status, json = ''] = text.split('\n');
    const right = (json ? JSON.parse(json) : {}) as LocalCapability & { code?: string };
    return { status: Number(status), right, ...(right.code && { code: right.code }) };
  };
  const get = (name: string) =>
    product.get<ResourceCapability>(Resources.ResourceCapability, { namespace: NAMESPACE, name });
  const podOf = (name: string) => product.get<Pod>(Resources.Pod, { namespace: NAMESPACE, name });
  /** What the managers of all nodes and the operator have counted. */
  const counted = async (sample: RegExp): Promise<number> => {
    const pods = await product.list<KubeObject>(Resources.Pod, RELEASE);
    const managers = pods.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'node');
    let sum = 0;
    for (const { metadata } of managers) {
      const read =
        'fetch("http://" + process.env.HEALTH_ADDRESS + ":33081/metrics").then((r) => r.text()).then(console.log)';
      const argv = ['-n', RELEASE, metadata.name, '-c', 'node-manager', '--', 'node', '-e', read];
      for (const line of (await product.kubectl('exec', ...argv)).split('\n')) {
        if (sample.test(line)) sum += Number(line.split(' ').pop());
      }
    }
    return sum;
  };
  /** Whoever asks for metrics is shown those of a moment ago, if somebody asked then. */
  const whenCounted = async (sample: RegExp, expected: number): Promise<void> => {
    let now = 0;
    await product.until('it to be counted', async () => (now = await counted(sample)) >= expected);
    assert.equal(now, expected);
  };

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    await offer(OFFERED.privileges);
    const sliver = { terminationGracePeriodSeconds: 1 };
    broker = sliceOf(product, NAMESPACE, 'broker', { resources: { privileges: ['Capabilities'] }, sliver });
    plain = sliceOf(product, NAMESPACE, 'plain', { sliver });
    // it acquires nothing itself
    course = sliceOf(product, NAMESPACE, 'course', { broker: NAMESPACE, sliver });
    await product.apply(broker, plain, course);
    await whenReady(product, broker);
    await whenReady(product, plain);
    own = (await sliversOf(product, broker))[0]!;
  });
  after(async () => {
    await offer(null);
    await dropNamespace(product, NAMESPACE);
  });

  it('acquires, splits and binds a right, by which another slice runs, and releases both', async () => {
    const pod = own.pod.metadata.name;
    const resources = { cpu: { shares: 40 }, egress: { guarantee: '1M', limit: '5M' } };
    const made = await ask(pod, 'POST', '/v1/capabilities', { name: 'lab', resources });
    assert.deepEqual([made.status, made.right.state], [201, 'Granted'], JSON.stringify(made));
    const rcap = (await get(made.right.name))!;
    assert.deepEqual([rcap.spec.nodeName, rcap.metadata.labels?.[LABEL_LOCAL]], [own.node, 'broker']);

    const part = { cpu: { shares: 10 }, egress: { guarantee: '100k', limit: '5M' } };
    const split = await ask(pod, 'POST', '/v1/capabilities/lab/split', { name: 'part', resources: part });
    assert.deepEqual([split.status, split.right.state], [201, 'Granted'], JSON.stringify(split));
    const bound = await ask(pod, 'POST', '/v1/capabilities/part/bind', { slice: 'course' });
    assert.deepEqual([bound.status, bound.right.slice], [200, 'course'], JSON.stringify(bound));
    await product.until('a sliver of the other slice', async () => {
      return (await podOf(split.right.name))?.status?.phase === 'Running';
    });
    assert.equal((await podOf(split.right.name))!.spec.nodeName, own.node);

    for (const name of ['part', 'lab']) {
      assert.equal((await ask(pod, 'DELETE', `/v1/capabilities/${name}`)).status, 204);
    }
    assert.deepEqual([await get(split.right.name), await get(made.right.name)], [undefined, undefined]);
    await product.until('its sliver to go', async () => (await podOf(split.right.name)) === undefined);
  });

  it('has no more than there is, and says what is short', async () => {
    const pod = own.pod.metadata.name;
    const resources = { cpu: { shares: 990 } };
    const denied = await ask(pod, 'POST', '/v1/capabilities', { name: 'all', resources });
    assert.deepEqual([denied.status, denied.right.state], [201, 'Denied']);
    assert.match(denied.right.message, /^asks 990, \d+ of \d+ free/);
    assert.equal((await ask(pod, 'DELETE', '/v1/capabilities/all')).status, 204);
  });

  it('keeps what a sliver needs of the right that it runs with', async () => {
    const kept = await ask(own.pod.metadata.name, 'POST', '/v1/capabilities/self/split', { name: 'mine' });
    assert.deepEqual([kept.status, kept.code], [403, 'NotAllowed']);
  });

  it('refuses a sliver without the privilege, and counts it', async () => {
    const { pod } = (await sliversOf(product, plain))[0]!;
    const sample = /^slice_node_local_requests_total\{operation="Acquire",code="NotPrivileged"\}/;
    const before = await counted(sample);
    const refused = await ask(pod.metadata.name, 'POST', '/v1/capabilities', { name: 'lab' });
    assert.deepEqual([refused.status, refused.code], [403, 'NotPrivileged']);
    await whenCounted(sample, before + 1);
  });

  it('refuses whoever comes to the socket of another sliver, and counts it', async () => {
    const directory = `/run/slice-operator/slivers/${own.pod.metadata.uid}`;
    const thief = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'thief', namespace: NAMESPACE },
      spec: {
        nodeName: own.node,
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        volumes: [{ name: 'others', hostPath: { path: directory, type: 'Directory' } }],
        containers: [
          {
            name: 'thief',
            image: product.workload,
            command: ['sleep', 'infinity'],
            volumeMounts: [{ name: 'others', mountPath: '/others' }],
          },
        ],
      },
    };
    await product.apply(thief);
    await product.until('the thief to run', async () => (await podOf('thief'))?.status?.phase === 'Running');
    const sample = /^slice_node_local_requests_total\{operation="Connect",code="NotYours"\}/;
    const before = await counted(sample);
    const refused = await ask('thief', 'GET', '/v1/capabilities', undefined, '/others/capabilities');
    assert.deepEqual([refused.status, refused.code], [403, 'NotYours']);
    await whenCounted(sample, before + 1);
  });

  it('ends with the owner’s offer', async () => {
    await offer(['RawSockets']);
    const pod = own.pod.metadata.name;
    await product.until('the refusal', async () => {
      return (await ask(pod, 'POST', '/v1/capabilities', { name: 'late' })).code === 'PrivilegeNotOffered';
    });
    await offer(OFFERED.privileges);
    await product.until('the offer', async () => (await ask(pod, 'GET', '/v1/capabilities')).status === 200);
  });
});
