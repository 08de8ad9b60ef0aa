/** A watchdog on two real nodes: it suspends a slice that floods over both, in time and not before; only others undo it. */
import assert from 'node:assert/strict';
import { API_VERSION } from '../../crds/names.ts';
import type { Restraint, Slice, SliceNode, Watchdog } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { hostAddress } from '../cluster/config.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import {
  dropNamespace,
  freshNamespace,
  podsOf,
  readSlice,
  sliceOf,
  sliversOf,
  whenCondition,
  whenReady,
} from './slices.ts';

const NAMESPACE = 'watched';
const PAGE_PORT = 33_091;
/** Where nobody listens. */
const PORT = 9_999;
/** Bytes over both nodes. */
const LIMIT = 6_000_000;
/** Of one flood, on one node: two nodes reach the limit with two each, one node alone does not. */
const FLOOD_BYTES = 2_000_000;
/** As long as there are: none ends, and takes the sums with it, while the tests run. */
const PERIOD_SECONDS = 30 * 86_400;
/** Sums are written down once a minute, and the first time may be of one node alone. */
const FIGURES_MS = 300_000;
const AUTHOR = 'author@example.org';

describe('a watchdog', () => {
  let product: Product;
  let slice: Slice;

  const publish = async (page: object | null): Promise<void> => {
    for (const node of NODES) {
      const patch = JSON.stringify({ spec: { audit: page && { page } } });
      await product.kubectl('patch', 'slicenode', node, '--type=merge', '-p', patch);
    }
  };
  const dog = () => product.get<Watchdog>(Resources.Watchdog, { name: 'e2e' });
  const restraints = () => product.list<Restraint>(Resources.Restraint);
  const valueOf = async (): Promise<number> => {
    const entries = (await dog())?.status?.largest ?? [];
    return entries.find((one) => one.namespace === NAMESPACE && one.slice === 'flood')?.value ?? 0;
  };
  const answered = () =>
    product.until(
      'both nodes to answer the watchdog',
      async () => (await dog())?.status?.nodes?.answered === 2,
      240_000,
    );

  /** 1000-byte datagrams, more slowly than its limit: what a full queue drops is not sent. */
  async function flood(pod: string, bytes: number): Promise<void> {
    const count = Math.ceil(bytes / 1_000);
    const send = `exec 3>/dev/udp/${hostAddress(product.cluster.index)}/${PORT}; p=$(printf '%0972d' 0); for ((i = 0; i < ${count}; i++)); do printf '%s' "$p" >&3; ((i % 50)) || sleep 0.05; done; true`;
    await product.kubectl('exec', '-n', NAMESPACE, pod, '--', 'bash', '-c', send);
  }

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    await publish({ port: PAGE_PORT });
    slice = sliceOf(product, NAMESPACE, 'flood', {
      resources: { cpu: { shares: 100 }, egress: { guarantee: '1M', limit: '20M' } },
    });
    await product.apply(slice);
    await whenReady(product, slice);
    const watchdog: Watchdog = {
      apiVersion: API_VERSION,
      kind: 'Watchdog',
      metadata: { name: 'e2e' },
      spec: {
        read: { sensor: 'sent', column: 'bytes' },
        namespaces: [NAMESPACE],
        periodSeconds: PERIOD_SECONDS,
        above: LIMIT,
        everySeconds: 2,
        action: 'Suspend',
        contact: 'noc@example.org',
      },
    };
    await product.apply(watchdog);
    await answered();
    const rights = { name: 'author', namespace: NAMESPACE };
    await product.kubectl(
      'create',
      'rolebinding',
      rights.name,
      '-n',
      rights.namespace,
      '--clusterrole=admin',
      `--user=${AUTHOR}`,
    );
  });
  after(async () => {
    await product.kubectl('delete', 'watchdog', 'e2e', '--ignore-not-found');
    await publish(null);
    await dropNamespace(product, NAMESPACE);
  });

  it('leaves alone a slice that is at half of its limit', async () => {
    const slivers = await sliversOf(product, slice);
    await Promise.all(slivers.map(({ pod }) => flood(pod.metadata.name, FLOOD_BYTES * 0.75)));
    // it has seen what was sent, on both nodes
    await product.until('the watchdog to see it', async () => (await valueOf()) >= FLOOD_BYTES * 1.4, FIGURES_MS);
    assert.ok((await valueOf()) < LIMIT);
    assert.deepEqual(await restraints(), []);
    await whenReady(product, slice);
  });

  it('suspends it once both nodes together are above, though neither alone is', async () => {
    const slivers = await sliversOf(product, slice);
    await Promise.all(slivers.map(({ pod }) => flood(pod.metadata.name, FLOOD_BYTES * 1.1)));
    const crossed = Date.now();
    await product.until('a Restraint', async () => (await restraints()).length === 1);
    console.log(`      suspended ${Date.now() - crossed} ms after its last packet`);
    const { message } = await whenCondition(product, slice, 'Ready', ({ reason }) => reason === 'Suspended');
    assert.match(message, /Restraint e2e-\w+ \(noc@example\.org\): sent bytes \d+ .* is above 6M/);
    await product.until('the pods to go', async () => (await podsOf(product, slice)).length === 0);
    for (const name of NODES) {
      await product.until(`${name} to be told`, async () => {
        const { status } = (await product.get<SliceNode>(Resources.SliceNode, { name }))!;
        return status?.restraints?.some((one) => one.slice === 'flood' && one.suspended) ?? false;
      });
    }
    assert.equal((await sliversOf(product, slice)).length, 0);
    assert.equal((await readSlice(product, slice))!.status!.nodes!.granted, 2, 'it keeps its rights');
  });

  it('can’t be undone by the author, whatever he has in his namespace', async () => {
    const [made] = await restraints();
    const as = (...argv: string[]) => product.kubectl(...argv, `--as=${AUTHOR}`);
    await assert.rejects(as('delete', 'restraint', made!.metadata.name), /[Ff]orbidden/);
    await assert.rejects(as('delete', 'watchdog', 'e2e'), /[Ff]orbidden/);
    const awake = JSON.stringify({ spec: { suspended: false } });
    await as('patch', 'slice', 'flood', '-n', NAMESPACE, '--type=merge', '-p', awake);
    await as('delete', 'slice', 'flood', '-n', NAMESPACE);
    await product.apply(slice);
    await whenCondition(product, slice, 'Ready', ({ reason }) => reason === 'Suspended');
    assert.deepEqual(await podsOf(product, slice), []);
  });

  it('holds down a pod that the author makes by hand with the suspended right', async () => {
    await whenCondition(product, slice, 'Allocated', ({ status }) => status === 'True');
    await product.until('the nodes to know', async () => {
      const nodes = await Promise.all(NODES.map((name) => product.get<SliceNode>(Resources.SliceNode, { name })));
      return nodes.every((node) => node?.status?.restraints?.some(({ suspended }) => suspended));
    });
    const rights = await product.list(Resources.ResourceCapability, NAMESPACE);
    const [right] = rights;
    const volume = {
      name: 'right',
      csi: { driver: 'slice-operator.io', volumeAttributes: { capability: right!.metadata.name } },
    };
    const container = { name: 'c', image: product.workload, command: ['sleep', 'infinity'], imagePullPolicy: 'Never' };
    await product.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'by-hand', namespace: NAMESPACE },
      spec: {
        nodeName: (right as unknown as { spec: { nodeName: string } }).spec.nodeName,
        terminationGracePeriodSeconds: 0,
        containers: [{ ...container, volumeMounts: [{ name: 'right', mountPath: '/run/slice', readOnly: true }] }],
        volumes: [volume],
      },
    });
    const refused = async (): Promise<boolean> => {
      const events = await product.kubectl(
        'get',
        'events',
        '-n',
        NAMESPACE,
        '--field-selector=involvedObject.name=by-hand',
        '-o',
        'jsonpath={.items[*].message}',
      );
      return /gives no right here now: Suspended/.test(events);
    };
    await product.until('the node to refuse its volume', refused, 240_000);
    await product.kubectl('delete', 'pod', 'by-hand', '-n', NAMESPACE, '--wait=true');
  });

  it('is undone by who may, and leaves the slice alone then', async () => {
    // nodes write their records down every 10 s: what was sent before the undoing must not be counted after it
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    const [made] = await restraints();
    await product.kubectl('delete', 'restraint', made!.metadata.name);
    await whenReady(product, slice);
    await answered();
    assert.deepEqual(await restraints(), []);
    // what was sent before it has forgotten would be forgotten as well
    await product.until('the watchdog to begin anew', async () => (await valueOf()) < LIMIT, FIGURES_MS);
    const [sliver] = await sliversOf(product, slice);
    await flood(sliver!.pod.metadata.name, FLOOD_BYTES);
    await product.until(
      'the watchdog to count anew',
      async () => {
        const value = await valueOf();
        return value >= FLOOD_BYTES * 0.9 && value <= LIMIT;
      },
      FIGURES_MS,
    );
    assert.deepEqual(await restraints(), []);
  });

  it('lowers its limit on the nodes where it throttles, and frees it when it goes', async () => {
    const patch = { spec: { above: 1, action: 'Throttle', egressLimit: '500k' } };
    await product.kubectl('patch', 'watchdog', 'e2e', '--type=merge', '-p', JSON.stringify(patch));
    await product.until('it to count by its new terms', async () => {
      const { metadata, status } = (await dog())!;
      return status?.observedGeneration === metadata.generation && status?.nodes?.answered === 2;
    });
    const [sliver] = await sliversOf(product, slice);
    await flood(sliver!.pod.metadata.name, FLOOD_BYTES / 10);
    await product.until('a Restraint', async () => (await restraints()).length === 1);
    const limits = async (): Promise<number[]> => {
      const rows = await Promise.all(
        NODES.map((node) =>
          product.kubectl('get', 'slicenode', node, '-o', 'jsonpath={.status.restraints[*].egressLimit}'),
        ),
      );
      return rows.map((row) => (row === '500k' ? 1 : 0));
    };
    await product.until('the nodes to know', async () => (await limits()).every((one) => one === 1));
    await whenReady(product, slice);
    await product.kubectl('delete', 'watchdog', 'e2e');
    await product.until('its Restraints to go with it', async () => (await restraints()).length === 0);
    await product.until('the nodes to know', async () => (await limits()).every((one) => one === 0));
  });
});
