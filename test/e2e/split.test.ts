/** Rights that are split and bound by hand: what is given away is not had any more, and comes back. */
import assert from 'node:assert/strict';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import type { Product } from './product.ts';
import { sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, rcapsOf, sliceOf, sliversOf, whenCondition, whenReady } from './slices.ts';
import { heldOf, NoCgroupError } from './kernel.ts';

const NAMESPACE = 'split';
const WHOLE = { cpu: { shares: 80 }, egress: { guarantee: '4M', limit: '6M' } };
const PART = { cpu: { shares: 30 }, egress: { guarantee: '1M', limit: '6M' } };

describe('a right that is split', () => {
  let product: Product;
  let node: string;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    const slice = sliceOf(product, NAMESPACE, 'held', {
      resources: WHOLE,
      sliver: { terminationGracePeriodSeconds: 1 },
    });
    await product.apply(slice);
    await whenReady(product, slice);
    node = (await sliversOf(product, slice))[0]!.node;
  });
  after(() => dropNamespace(product, NAMESPACE));

  const get = async (name: string) =>
    (await product.get<ResourceCapability>(Resources.ResourceCapability, { namespace: NAMESPACE, name }))!;
  const grantedOf = async (name: string) =>
    (await get(name)).status?.conditions?.find(({ type }) => type === 'Granted');

  async function split(name: string, from: string, resources: object): Promise<void> {
    await product.apply({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { name, namespace: NAMESPACE, labels: { [LABEL_NODE]: node } },
      spec: { nodeName: node, contact: 'e2e@example.org', from, resources },
    });
    await product.until(`an answer to ${name}`, async () => (await grantedOf(name)) !== undefined);
  }

  it('leaves its sliver the rest, in the kernel too, and gets back what is released', async () => {
    const slice = sliceOf(product, NAMESPACE, 'held', {});
    const parent = (await rcapsOf(product, slice)).find(({ spec }) => spec.nodeName === node)!.metadata.name;
    /** undefined while its pod is being replaced. */
    const weight = async (): Promise<number | undefined> => {
      const pod = (await sliversOf(product, slice)).find((one) => one.node === node)?.pod;
      if (pod?.status?.phase !== 'Running' || pod.metadata.deletionTimestamp !== undefined) return undefined;
      try {
        return heldOf(product.cluster, node, pod.metadata.uid!).weight;
      } catch (error) {
        // its cgroup went after its object was read
        if (error instanceof NoCgroupError) return undefined;
        throw error;
      }
    };
    const before = (await weight())!;
    await split('part', parent, PART);
    assert.equal((await grantedOf('part'))!.status, 'True', (await grantedOf('part'))!.message);
    await product.until('the parent to have the rest', async () => {
      const { left } = (await get(parent)).status!.granted!;
      return left?.cpu?.shares === 50 && ((await weight()) ?? before) < before;
    });
    await split('too-much', parent, { ...PART, cpu: { shares: 51 } });
    const refused = (await grantedOf('too-much'))!;
    assert.equal(refused.reason, 'InsufficientShares');
    assert.match(refused.message, /^asks 51, 50 of 80 of split\/.* free/);
    await product.kubectl('delete', 'rcap', '-n', NAMESPACE, 'part');
    await product.until('the parent to have all of it', async () => {
      const { left } = (await get(parent)).status!.granted!;
      return left === undefined && (await weight()) === before;
    });
  });

  it('leaves its sliver nothing where all of it goes, and its Slice says so, until that is released', async () => {
    const slice = sliceOf(product, NAMESPACE, 'held', {});
    const parent = (await rcapsOf(product, slice)).find(({ spec }) => spec.nodeName === node)!.metadata.name;
    await split('all', parent, WHOLE);
    const { message } = await whenCondition(product, slice, 'Ready', ({ reason }) => reason === 'GivenAway');
    assert.match(message, new RegExp(` running; ${node}: what is split from the right leaves less than 1 share`));
    await product.kubectl('delete', 'rcap', '-n', NAMESPACE, 'all');
    await whenReady(product, slice);
  });
});
