/** A broker that keeps the whole and hands over a part: it suspends whom it serves, and its node needs nobody else for it. */
import assert from 'node:assert/strict';
import type { Slice } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { classOfPod, heldOf, isLowest } from './kernel.ts';
import { findProcesses, killProcess, scaleOperator, whenAnother } from './operator.ts';
import type { Product } from './product.ts';
import { ask, grantedOf, readRight, rightOf } from './rights.ts';
import { sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, type Pod, readSlice, sliceOf, whenCondition, whenReady } from './slices.ts';

const [LENDER, LENT] = ['suspend-lender', 'suspend-lent'];
const NODE = 'node1';
const RESOURCES = { cpu: { shares: 40 }, egress: { guarantee: '2M', limit: '4M' } };
const WHY = { reason: 'probes our customers', contact: 'ops@lender.example' };
const PENALTY = 64_000;

type Secret = KubeObject & { data: { value: string } };

describe('a broker that keeps the whole of a right', () => {
  let product: Product;

  const placement = { nodeSelector: { 'kubernetes.io/hostname': NODE } };
  const sliver = { terminationGracePeriodSeconds: 1 };
  const served = (): Slice => sliceOf(product, LENT, 'served', { broker: LENDER, placement, sliver });
  const own = (): Slice => sliceOf(product, LENT, 'own', { placement, sliver, resources: RESOURCES });
  const whole = (change: object = {}) => rightOf(NODE, LENDER, 'whole', { resources: RESOURCES, ...change });
  const part = (change: object = {}) =>
    rightOf(NODE, LENDER, 'part', { from: 'whole', resources: RESOURCES, valueSecret: 'part', ...change });
  const taken = (change: object = {}) =>
    rightOf(NODE, LENT, 'taken', { redeem: 'from-lender', sliceName: 'served', ...change });

  before(async () => {
    product = await sharedProduct();
    for (const namespace of [LENDER, LENT]) await freshNamespace(product, namespace);
    for (const right of [whole(), part()]) assert.equal((await ask(product, right)).status, 'True');
    let made: Secret | undefined;
    await product.until('the value', async () => {
      made = await product.get<Secret>(Resources.Secret, { namespace: LENDER, name: 'part' });
      return made !== undefined && (await readRight(product, part()))!.status?.valueDigest !== undefined;
    });
    await product.apply(served(), own(), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'from-lender', namespace: LENT },
      type: 'slice-operator.io/capability',
      data: made!.data,
    });
    assert.equal((await ask(product, taken())).status, 'True');
    await product.kubectl('delete', 'rcap', '-n', LENDER, 'part');
    for (const slice of [served(), own()]) await whenReady(product, slice);
  });
  after(async () => {
    await scaleOperator(product, 2);
    for (const namespace of [LENT, LENDER]) await dropNamespace(product, namespace);
  });

  const suspend = (name: string, namespace: string, suspended: typeof WHY | null) =>
    product.kubectl(
      'patch',
      'rcap',
      '-n',
      namespace,
      name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { suspended } }),
    );
  /** The sliver's pod of a right that was bound by hand has the right's name. */
  const podOf = (name: string): Promise<Pod | undefined> => product.get<Pod>(Resources.Pod, { namespace: LENT, name });
  const held = (pod: Pod) => heldOf(product.cluster, NODE, pod.metadata.uid!);
  const saidOf = async () => (await readRight(product, taken()))!.status;
  const ownPod = async (): Promise<Pod> => {
    const pods = await product.list<Pod>(Resources.Pod, LENT);
    return pods.find(({ metadata }) => metadata.labels?.['slice-operator.io/slice'] === 'own')!;
  };

  it('suspends what runs by the part, in the kernel and without the operator; its neighbour runs on', async () => {
    const pod = (await podOf('taken'))!;
    assert.ok(!isLowest(held(pod)));
    await scaleOperator(product, 0);
    await suspend('whole', LENDER, WHY);
    await product.until('the sliver to have the penalty class and the lowest weight', async () => {
      const { ceil } = (await classOfPod(product.cluster, NODE, pod.status!.podIP!)) ?? {};
      return ceil === PENALTY && isLowest(held(pod));
    });
    await product.until('the node to say so', async () => (await saidOf())?.suspendedBy !== undefined);
    assert.deepEqual((await saidOf())!.suspendedBy, [{ right: `${LENDER}/whole`, ...WHY }]);
    await product.until('the sliver to be frozen', async () => held(pod).frozen, 180_000);
    const neighbour = held(await ownPod());
    assert.ok(!neighbour.frozen && !isLowest(neighbour));
  });

  it('goes on doing so when the node manager is killed', async () => {
    const pod = (await podOf('taken'))!;
    const before = await findProcesses(product, NODE, 'node-daemonset');
    await killProcess(product, NODE, 'node-daemonset');
    await whenAnother(product, NODE, 'node-daemonset', before, () => assert.ok(held(pod).frozen));
    // it answers an edit, so it has made a pass; the part's holder takes nothing back by it
    await ask(product, taken({ contact: 'author@example.org' }));
    assert.ok(held(pod).frozen);
    assert.equal((await saidOf())!.suspendedBy?.length, 1);
  });

  it('has the Slice say who it is and why, and its pod gone, whatever the author does', async () => {
    await scaleOperator(product, 2);
    const isSuspended = ({ reason, message }: { reason: string; message: string }): boolean =>
      reason === 'Suspended' && message.includes(`${LENDER}/whole (${WHY.contact}): ${WHY.reason}`);
    await whenCondition(product, served(), 'Ready', isSuspended);
    const told = (await readSlice(product, served()))!.status!.suspendedBy;
    assert.deepEqual(told, [{ node: NODE, right: `${LENDER}/whole`, ...WHY }]);
    await product.until('the pod to be gone', async () => (await podOf('taken')) === undefined);
    await product.kubectl('delete', 'slice', '-n', LENT, 'served', '--timeout=350s');
    await product.apply(served());
    await whenCondition(product, served(), 'Ready', isSuspended);
    assert.equal(await podOf('taken'), undefined);
    await whenReady(product, own());
  });

  it('gives way to nobody else who suspends it, and lets it run again', async () => {
    await suspend('taken', LENT, { reason: 'of its own', contact: 'author@example.org' });
    await suspend('whole', LENDER, null);
    await product.until('the holder of the part alone', async () => {
      const { suspendedBy } = (await saidOf())!;
      return suspendedBy?.length === 1 && suspendedBy[0]!.right === `${LENT}/taken`;
    });
    assert.equal(await podOf('taken'), undefined);
    await suspend('taken', LENT, null);
    await whenReady(product, served());
    const pod = (await podOf('taken'))!;
    await product.until('its new pod to have its weight', async () => !isLowest(held(pod)));
    assert.ok(!held(pod).frozen);
    assert.equal((await readSlice(product, served()))!.status!.suspendedBy, undefined);
  });

  it('has no say any more when it passes the right on whole', async () => {
    // the whole itself goes to the other namespace, with what is split from it
    assert.equal((await ask(product, whole({ valueSecret: 'whole' }))).status, 'True');
    let made: Secret | undefined;
    await product.until('the value', async () => {
      made = await product.get<Secret>(Resources.Secret, { namespace: LENDER, name: 'whole' });
      return made !== undefined && (await readRight(product, whole()))!.status?.valueDigest !== undefined;
    });
    await product.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'all', namespace: LENT },
      type: 'slice-operator.io/capability',
      data: made!.data,
    });
    assert.equal((await ask(product, rightOf(NODE, LENT, 'all', { redeem: 'all' }))).status, 'True');
    await suspend('whole', LENDER, WHY);
    await product.until('the node to have seen it', async () => {
      const { metadata, status } = (await readRight(product, whole()))!;
      return status?.observedGeneration === metadata.generation;
    });
    assert.equal((await grantedOf(product, whole()))!.reason, 'Transferred');
    assert.equal((await saidOf())!.suspendedBy, undefined);
    await whenReady(product, served());
  });
});
