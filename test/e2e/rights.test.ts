/** Rights that are edited, taken away or over, and names and ports that belong to somebody else. */
import assert from 'node:assert/strict';
import { bootConfigMapName, LABEL_NODE, rcapName } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { classOfPod, heldOf, isLowest } from './kernel.ts';
import { scaleOperator } from './operator.ts';
import { isReady, type Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import {
  dropNamespace,
  freshNamespace,
  podsOf,
  rcapsOf,
  sliceOf,
  type Sliver,
  sliversOf,
  whenCondition,
  whenReady,
} from './slices.ts';

const NAMESPACE = 'rights';
const RESOURCES = { cpu: { shares: 50 }, egress: { guarantee: '2M', limit: '3M' } };
const PENALTY = 64_000;

describe('a right', () => {
  let product: Product;
  let slice: Slice;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    slice = sliceOf(product, NAMESPACE, 'held', { resources: RESOURCES, sliver: { terminationGracePeriodSeconds: 1 } });
    await product.apply(slice);
    await whenReady(product, slice);
  });
  after(async () => {
    await scaleOperator(product, 2);
    await dropNamespace(product, NAMESPACE);
  });

  const kernelOf = async ({ node, pod }: Sliver) => {
    const { weight } = heldOf(product.cluster, node, pod.metadata.uid!);
    return { weight, ...(await classOfPod(product.cluster, node, pod.status!.podIP!)) };
  };
  const edit = ({ rcap }: Sliver, patch: object): Promise<string> => {
    const argv = ['--type=merge', '-p', JSON.stringify(patch)];
    return product.kubectl('patch', 'rcap', '-n', NAMESPACE, rcap.metadata.name, ...argv);
  };
  const granted = async ({ rcap }: Sliver) => {
    const ref = { namespace: NAMESPACE, name: rcap.metadata.name };
    const now = await product.get<ResourceCapability>(Resources.ResourceCapability, ref);
    const { conditions = [], observedGeneration } = now?.status ?? {};
    return {
      judged: observedGeneration === now?.metadata.generation,
      ...conditions.find(({ type }) => type === 'Granted'),
    };
  };
  const whenPenalised = ({ node, pod }: Sliver): Promise<void> =>
    product.until('the sliver to have the penalty class and the lowest weight', async () => {
      const { ceil } = (await classOfPod(product.cluster, node, pod.status!.podIP!)) ?? {};
      return ceil === PENALTY && isLowest(heldOf(product.cluster, node, pod.metadata.uid!));
    });
  const whenFrozen = ({ node, pod }: Sliver): Promise<void> =>
    product.until(
      'the sliver to be frozen',
      async () => heldOf(product.cluster, node, pod.metadata.uid!).frozen,
      180_000,
    );
  /** An operator that was away has put right what was edited meanwhile; until then its last word is of before. */
  const whenMended = (): Promise<void> =>
    product.until(
      'the operator to put its rights right',
      async () => {
        const slivers = await sliversOf(product, slice);
        return slivers.length === NODES.length && slivers.every(isInOrder);
      },
      240_000,
    );
  const isInOrder = ({ node, rcap, pod }: Sliver): boolean => {
    const { metadata, spec, status } = rcap;
    const isOwn = metadata.labels?.[LABEL_NODE] === node && spec.sliceName === 'held' && spec.window === undefined;
    const isJudged = status?.observedGeneration === metadata.generation;
    const isUp = pod.metadata.deletionTimestamp === undefined && isReady(pod.status);
    return isOwn && isJudged && isReady(status) && isUp;
  };

  it('is not widened by an edit that the node refuses', async () => {
    await scaleOperator(product, 0); // else it puts every edit back
    const [sliver] = await sliversOf(product, slice);
    const before = await kernelOf(sliver!);
    const edits: [object, RegExp][] = [
      [{ resources: { ...RESOURCES, cpu: { shares: 1000 } } }, /InsufficientShares: asks 1000/],
      [{ resources: { ...RESOURCES, egress: { guarantee: '1G', limit: '1G' } } }, /InsufficientEgress: asks 1 Gbit/],
      [{ resources: RESOURCES, window: { end: '2020-01-01T00:00:00Z' } }, /WindowPast/],
      [{ window: null, sliceName: 'another' }, /InvalidSpec: it is bound to slice held/],
    ];
    for (const [spec, says] of edits) {
      await edit(sliver!, { spec });
      await product.until('the node to judge the edit', async () => (await granted(sliver!)).judged);
      const { status, reason, message } = await granted(sliver!);
      assert.deepEqual([status, reason], ['True', 'ResizeDenied']);
      assert.match(message!, says);
      assert.deepEqual(await kernelOf(sliver!), before);
    }
  });

  it('is lost, not moved, by an edit of its label', async () => {
    await scaleOperator(product, 0);
    const [sliver, other] = await sliversOf(product, slice);
    await edit(sliver!, { metadata: { labels: { [LABEL_NODE]: other!.node } } });
    await product.until('the new node to judge it', async () => {
      const { judged, status } = await granted(sliver!);
      return judged && status === 'False';
    });
    assert.match((await granted(sliver!)).message!, /a right can't move/);
    await whenPenalised(sliver!);
    await scaleOperator(product, 2);
    await whenMended();
    await whenReady(product, slice);
  });

  it('takes its pod down with it, operator or none: penalised, then frozen', async () => {
    await scaleOperator(product, 2); // the test before takes it away, and may have failed
    await whenMended();
    await scaleOperator(product, 0);
    const [deleted, expiring] = await sliversOf(product, slice);
    await product.kubectl('delete', 'rcap', '-n', NAMESPACE, deleted!.rcap.metadata.name, '--cascade=orphan');
    // long enough ahead for the node to grant it
    const end = new Date(Date.now() + 20_000).toISOString();
    await edit(expiring!, { spec: { window: { end } } });
    await Promise.all([whenPenalised(deleted!), whenPenalised(expiring!)]);
    // the kernel is told first, the API server after it
    await product.until('its status to say so', async () => (await granted(expiring!)).reason === 'Expired');
    await Promise.all([whenFrozen(deleted!), whenFrozen(expiring!)]);
    // orphaned, it has no owner left with which it could go: frozen as it is, it ends when somebody deletes it
    await product.kubectl('delete', 'pod', '-n', NAMESPACE, deleted!.pod.metadata.name, '--timeout=350s');
    await scaleOperator(product, 2);
    await product.kubectl('delete', 'slice', '-n', NAMESPACE, 'held', '--timeout=350s');
    await product.until('frozen pods to end', async () => (await podsOf(product, slice)).length === 0);
  });

  it('is not asked for under names that somebody else has', async () => {
    await scaleOperator(product, 2); // the test before takes it away, and may have failed
    const colliding = sliceOf(product, NAMESPACE, 'collide', {
      sliver: { bootScript: 'exec sleep infinity', terminationGracePeriodSeconds: 1 },
    });
    const objects: KubeObject[] = [
      Object.assign(named('v1', 'ConfigMap', bootConfigMapName('collide')), { data: { ours: 'kept' } }),
      Object.assign(named('slice-operator.io/v1alpha1', 'ResourceCapability', rcapName('collide', 'node1')), {
        spec: { nodeName: 'elsewhere', contact: 'somebody@example.org' },
      }),
      Object.assign(named('v1', 'Pod', rcapName('collide', 'node2')), {
        spec: { nodeSelector: { no: 'such' }, containers: [{ name: 'own', image: product.workload }] },
      }),
    ];
    await product.apply(...objects);
    const read = () => Promise.all(objects.map(({ kind, metadata }) => getOf(kind, metadata.name)));
    const before = await read();
    await product.apply(colliding);
    const accepted = await whenCondition(product, colliding, 'Accepted', ({ reason }) => reason === 'NameTaken');
    assert.match(accepted.message, /not made by this Slice and left alone: .*collide.*rename the Slice/);
    await product.kubectl('delete', 'slice', '-n', NAMESPACE, 'collide', '--timeout=350s');
    assert.deepEqual(await read(), before);
    assert.deepEqual(await rcapsOf(product, colliding), []);
  });

  function named(apiVersion: string, kind: string, name: string): KubeObject {
    return { apiVersion, kind, metadata: { namespace: NAMESPACE, name } };
  }

  /** All of an object but its status, which is its owner's business. */
  async function getOf(kind: string, name: string): Promise<object> {
    const text = await product.kubectl('get', kind, '-n', NAMESPACE, name, '-o', 'json');
    const { status: _, ...rest } = JSON.parse(text) as KubeObject & { status?: object };
    const {
      resourceVersion: __,
      managedFields: ___,
      ...metadata
    } = rest.metadata as KubeObject['metadata'] & { managedFields?: object };
    return { ...rest, metadata };
  }
});
