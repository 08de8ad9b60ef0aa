/** Reservations whose windows open and close while nobody can be asked: the node keeps the time by itself. */
import assert from 'node:assert/strict';
import { CapabilityReason as Reason } from '../../crds/conditions.ts';
import { Resources } from '../../kube/resources.ts';
import { killComponent, startComponent } from '../cluster/components.ts';
import { classOfPod, heldOf, isLowest } from './kernel.ts';
import type { Product } from './product.ts';
import { ask, grantedOf, rightOf } from './rights.ts';
import { sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Pod, sliceOf, whenReady } from './slices.ts';

const NAMESPACE = 'windows';
const NODE = 'node1';
const PENALTY = 64_000;
const egress = (guarantee: string) => ({ cpu: { shares: 20 }, egress: { guarantee, limit: '5M' } });
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

describe('windows', () => {
  let product: Product;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
  });
  after(() => dropNamespace(product, NAMESPACE));

  it('open and close in the kernel while the API server is away', async () => {
    const slice = sliceOf(product, NAMESPACE, 'user', {
      broker: NAMESPACE,
      placement: { nodeSelector: { 'kubernetes.io/hostname': NODE } },
      sliver: { terminationGracePeriodSeconds: 1 },
    });
    const whole = (end: string) => {
      const resources = { ...egress('4M'), cpu: { shares: 40 } };
      return rightOf(NODE, NAMESPACE, 'whole', { resources, sliceName: 'user', window: { end } });
    };
    await product.apply(slice);
    assert.equal((await ask(product, whole(inSeconds(3600)))).status, 'True');
    await whenReady(product, slice);
    const pod = (await product.get<Pod>(Resources.Pod, { namespace: NAMESPACE, name: 'whole' }))!;
    const rate = async () => (await classOfPod(product.cluster, NODE, pod.status!.podIP!))?.rate;
    await product.until('its class', async () => (await rate()) === 4e6);

    // long enough ahead for both answers, and for the API server to be gone before the first edge
    const [opens, closes, ends] = [40, 60, 80].map(inSeconds) as [string, string, string];
    const window = { start: opens, end: closes };
    const part = rightOf(NODE, NAMESPACE, 'part', { from: 'whole', resources: egress('1M'), window });
    for (const right of [whole(ends), part]) {
      const { status, message } = await ask(product, right);
      assert.equal(status, 'True', message);
    }
    await killComponent(product.cluster, 'kube-apiserver');
    try {
      assert.equal(await rate(), 4e6, 'the reservation takes nothing before it begins');
      await product.until('the reservation to open', async () => (await rate()) === 3e6);
      assert.ok(Date.now() >= Date.parse(opens));
      await product.until('it to close', async () => (await rate()) === 4e6);
      assert.ok(Date.now() >= Date.parse(closes));
      await product.until('the right itself to end', async () => {
        const { ceil } = (await classOfPod(product.cluster, NODE, pod.status!.podIP!)) ?? {};
        return ceil === PENALTY && isLowest(heldOf(product.cluster, NODE, pod.metadata.uid!));
      });
      assert.ok(Date.now() >= Date.parse(ends));
    } finally {
      await startComponent(product.cluster, 'kube-apiserver');
    }
    for (const right of [whole(ends), part]) {
      await product.until(`${right.metadata.name} to be told`, async () => {
        return (await grantedOf(product, right))?.reason === Reason.Expired;
      });
    }
  });
});
