/** Nodes that come and go restart no sliver of another node. */
import assert from 'node:assert/strict';
import type { Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { addNode, rejoinNode, removeNode } from '../cluster/components.ts';
import { nodeNames } from '../cluster/node.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Pod, sliceOf, type Sliver, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'churn';

describe('a slice on nodes that come and go', () => {
  let product: Product;
  let slice: Slice;
  let first: string[];

  /** The pods of these nodes, and how often their containers started. */
  const runs = async (nodes: readonly string[]): Promise<string[]> =>
    (await sliversOf(product, slice)).filter(({ node }) => nodes.includes(node)).map(runOf);
  const runOf = ({ node, pod }: Sliver): string => {
    const { containerStatuses = [] } = (pod as Pod & { status: Statuses }).status;
    return `${node} ${pod.metadata.uid} ${containerStatuses.map(({ restartCount }) => restartCount).join()}`;
  };
  const whenRunning = (count: number): Promise<void> =>
    product.until(
      `${count} slivers to run`,
      async () => {
        const { nodes } =
          (await product.get<Slice>(Resources.Slice, { namespace: NAMESPACE, name: 'stable' }))?.status ?? {};
        return nodes?.wanted === count && nodes.running === count;
      },
      300_000,
    );

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    slice = sliceOf(product, NAMESPACE, 'stable', { resources: { cpu: { shares: 20 } } });
    await product.apply(slice);
    await whenReady(product, slice);
    first = await runs(NODES);
    assert.equal(first.length, NODES.length);
  });
  after(async () => {
    if (nodeNames(product.cluster).includes('node3')) await removeNode(product.cluster, 'node3');
    const node2 = await product.kubectl('get', 'node', 'node2', '--ignore-not-found', '-o', 'name');
    if (node2 === '') await rejoinNode(product.cluster, 'node2');
    await dropNamespace(product, NAMESPACE);
  });

  it('gets a sliver on a node that is added', async () => {
    await addNode(product.cluster, 'node3');
    await whenRunning(3);
    assert.deepEqual(await runs(NODES), first);
  });

  it('loses just that sliver when the node is removed', async () => {
    await removeNode(product.cluster, 'node3');
    await whenRunning(2);
    await whenReady(product, slice);
    assert.deepEqual(await runs(NODES), first);
  });

  it('runs on a node that is registered anew', async () => {
    await product.kubectl('delete', 'node', 'node2');
    await whenRunning(1);
    await rejoinNode(product.cluster, 'node2');
    await whenRunning(2);
    await whenReady(product, slice);
    assert.deepEqual(
      await runs(['node1']),
      first.filter((run) => run.startsWith('node1 ')),
    );
  });
});

interface Statuses {
  containerStatuses?: { restartCount: number }[];
}
