/** A right that a person hands to another by its value: who can't show it gets nothing, who can has it all, once. */
import assert from 'node:assert/strict';
import { CapabilityReason as Reason } from '../../crds/conditions.ts';
import type { Slice } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { addressesOf, classOfPod, heldOf, isLowest, NoCgroupError } from './kernel.ts';
import { decisions, logOf } from './nodelog.ts';
import type { Product } from './product.ts';
import { ask, grantedOf, readRight, rightOf } from './rights.ts';
import { sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, type Sliver, whenReady } from './slices.ts';

const [OURS, THEIRS] = ['transfer-ours', 'transfer-theirs'];
const NODE = 'node1';
const CAPABILITY = 'slice-operator.io/capability';
const FALSE_VALUE = '0123456789abcdef0123456789abcdef';
const RESOURCES = { cpu: { shares: 40 }, egress: { guarantee: '2M', limit: '4M' } };

type Secret = KubeObject & { type: string; data: { value: string } };

describe('a right that is handed over by its value', () => {
  let product: Product;
  let value: string;
  let first: Sliver;

  const slice = (namespace: string): Slice =>
    sliceOf(product, namespace, 'user', {
      broker: namespace,
      placement: { nodeSelector: { 'kubernetes.io/hostname': NODE } },
      sliver: { terminationGracePeriodSeconds: 1 },
    });
  const held = (change: object = {}) => {
    return rightOf(NODE, OURS, 'held', { resources: RESOURCES, sliceName: 'user', ...change });
  };
  const secret = (namespace: string, name: string, content: string, type = CAPABILITY): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type,
    stringData: { value: content },
  });
  const taker = (name: string, redeem: string) => rightOf(NODE, THEIRS, name, { redeem });

  before(async () => {
    product = await sharedProduct();
    for (const namespace of [OURS, THEIRS]) await freshNamespace(product, namespace);
    await product.apply(slice(OURS));
    assert.equal((await ask(product, held())).status, 'True');
    await product.until('its slice to run by it', async () => {
      const [sliver] = await bound(OURS, 'held');
      if (sliver?.pod.status?.phase === 'Running') first = sliver;
      return first !== undefined;
    });
    await whenReady(product, slice(OURS));
  });
  after(async () => {
    for (const namespace of [OURS, THEIRS]) await dropNamespace(product, namespace);
  });

  /** Slivers of rights that were bound by hand have no label of the slice. */
  async function bound(namespace: string, name: string): Promise<Sliver[]> {
    const rcap = await readRight(product, rightOf(NODE, namespace, name));
    const pod = await product.get<Sliver['pod']>(Resources.Pod, { namespace, name });
    return rcap && pod ? [{ node: NODE, rcap, pod }] : [];
  }
  /** The cgroup of a pod goes before its object. */
  function isGoneOrLowest(uid: string): boolean {
    try {
      return isLowest(heldOf(product.cluster, NODE, uid));
    } catch (error) {
      if (error instanceof NoCgroupError) return true;
      throw error;
    }
  }

  it('has a value when its holder asks for one, in a Secret of his and nowhere else', async () => {
    assert.equal((await ask(product, held({ valueSecret: 'value' }))).status, 'True');
    let made: Secret | undefined;
    await product.until('the Secret', async () => {
      made = await product.get<Secret>(Resources.Secret, { namespace: OURS, name: 'value' });
      return made !== undefined;
    });
    assert.equal(made!.type, CAPABILITY);
    value = Buffer.from(made!.data.value, 'base64').toString();
    assert.match(value, /^[0-9a-f]{32}$/);
    await product.until('its digest', async () => {
      return (await readRight(product, held()))!.status?.valueDigest !== undefined;
    });
    assert.ok(!JSON.stringify(await readRight(product, held())).includes(value));
  });

  it('stays with its holder where what is shown is missing, another type, false, or in another namespace', async () => {
    await product.apply(
      secret(THEIRS, 'opaque', value, 'Opaque'),
      secret(THEIRS, 'false', FALSE_VALUE),
      secret(THEIRS, 'short', 'abc'),
    );
    const counted = await decisions(product, NODE, 'denied', Reason.NotRedeemable);
    // `value` is the name of the true Secret, in the namespace of the holder
    const shown = ['missing', 'opaque', 'false', 'short', 'value'];
    const answers = [];
    for (const name of shown) answers.push(await ask(product, taker(`by-${name}`, name)));
    for (const { status, reason, message } of answers) {
      assert.deepEqual([status, reason, message], ['False', Reason.NotRedeemable, answers[0]!.message]);
    }
    await product.until('the answers to be counted', async () => {
      return (await decisions(product, NODE, 'denied', Reason.NotRedeemable)) === counted + shown.length;
    });
    for (const name of shown) {
      let line: Record<string, unknown> | undefined;
      await product.until(`the answer to by-${name} to be logged`, async () => {
        const isOurs = ({ rcap, event }: Record<string, unknown>): boolean =>
          rcap === `${THEIRS}/by-${name}` && event === 'denied';
        line = (await logOf(product, NODE)).find(isOurs);
        return line !== undefined;
      });
      assert.equal(line?.reason, Reason.NotRedeemable, name);
    }
    assert.equal((await grantedOf(product, held()))!.status, 'True');
    assert.ok(!heldOf(product.cluster, NODE, first.pod.metadata.uid!).frozen);
  });

  it('passes as it is to whoever shows it, and runs a sliver of his slice; the old holder’s is held down', async () => {
    await product.apply(secret(THEIRS, 'true', value), slice(THEIRS));
    const verdict = await ask(product, taker('taken', 'true'));
    assert.equal(verdict.status, 'True', verdict.message);
    const { granted } = (await readRight(product, taker('taken', 'true')))!.status!;
    assert.equal(granted!.resources.cpu!.shares, 40);
    assert.equal(granted!.resources.egress!.limit, '4M');
    await product.until('the old holder to lose it', async () => {
      return (await grantedOf(product, held()))!.reason === Reason.Transferred;
    });
    const { namespace, name, uid } = first.pod.metadata;
    await product.until(
      'his sliver to be held down or gone',
      async () => {
        const now = await product.get<KubeObject>(Resources.Pod, { namespace, name });
        return now?.metadata.uid !== uid || isGoneOrLowest(uid!);
      },
      180_000,
    );
    await product.apply(rightOf(NODE, THEIRS, 'taken', { redeem: 'true', sliceName: 'user' }));
    await whenReady(product, slice(THEIRS));
    const [sliver] = await bound(THEIRS, 'taken');
    let own: Awaited<ReturnType<typeof classOfPod>>;
    await product.until('its class', async () => {
      own = await classOfPod(product.cluster, NODE, sliver!.pod.status!.podIP!);
      return own !== undefined;
    });
    assert.deepEqual([own!.rate, own!.ceil], [2e6, 4e6]);
    assert.ok(!isLowest(heldOf(product.cluster, NODE, sliver!.pod.metadata.uid!)));
  });

  it('passes once: shown again it is worth nothing, and no edit gives it back to who had it', async () => {
    await product.apply(secret(THEIRS, 'again', value));
    assert.equal((await ask(product, taker('second', 'again'))).reason, Reason.NotRedeemable);
    const edited = await ask(product, held({ contact: 'mine@example.org', valueSecret: 'value' }));
    assert.deepEqual([edited.status, edited.reason], ['False', Reason.Transferred]);
    for (const { metadata } of [held(), taker('taken', 'true')]) {
      const text = JSON.stringify(await readRight(product, { metadata }));
      assert.ok(!text.includes(value), 'no status has a value');
    }
    const told = (await logOf(product, NODE)).filter((line) => JSON.stringify(line).includes(value));
    assert.deepEqual(told, []);
  });

  it('is renewed by its new holder under his running sliver, split, and released', async () => {
    const [sliver] = await bound(THEIRS, 'taken');
    const right = (egress: string, change = {}) => {
      const resources = { ...RESOURCES, egress: { guarantee: egress, limit: '6M' } };
      return rightOf(NODE, THEIRS, 'taken', { redeem: 'true', sliceName: 'user', resources, ...change });
    };
    assert.equal((await ask(product, right('3M'))).status, 'True');
    const address = sliver!.pod.status!.podIP!;
    await product.until('the class to have more', async () => {
      return (await classOfPod(product.cluster, NODE, address))?.rate === 3e6;
    });
    const window = { end: new Date(Date.now() + 3_600_000).toISOString().replace(/\..*/, 'Z') };
    assert.equal((await ask(product, right('3M', { window }))).status, 'True');
    const [same] = await bound(THEIRS, 'taken');
    assert.equal(same!.pod.metadata.uid, sliver!.pod.metadata.uid, 'the sliver ran on');
    const granted = (await readRight(product, right('3M')))!.status!.granted!;
    assert.deepEqual([granted.resources.egress!.guarantee, granted.window?.end], ['3M', window.end]);

    const resources = { cpu: { shares: 10 }, egress: { guarantee: '1M', limit: '2M' } };
    const verdict = await ask(product, rightOf(NODE, THEIRS, 'part', { from: 'taken', resources, window }));
    assert.equal(verdict.status, 'True', verdict.message);
    await product.kubectl('delete', 'rcap', '-n', THEIRS, 'part', 'taken');
    await product.until('nothing of it to be left', async () => {
      const pod = await product.get<KubeObject>(Resources.Pod, { namespace: THEIRS, name: 'taken' });
      return pod === undefined && !(await addressesOf(product.cluster, NODE)).has(address);
    });
  });
});
