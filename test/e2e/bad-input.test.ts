/** What users get wrong: a clear message each time, in the status or at admission, and nothing half done. */
import assert from 'node:assert/strict';
import { bootConfigMapName } from '../../crds/names.ts';
import type { Slice, SliceSpec } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import type { Product } from './product.ts';
import { sharedProduct } from './shared.ts';
import {
  dropNamespace,
  freshNamespace,
  podsOf,
  rcapsOf,
  readSlice,
  sliceOf,
  whenCondition,
  whenReady,
} from './slices.ts';

const NAMESPACE = 'bad-input';
const LONGEST_NAMESPACE = 'bad-input-'.padEnd(63, 'n');

interface Mistake {
  what: string;
  name?: string;
  spec: Parameters<typeof sliceOf>[3];
  /** In the message of the status or of the refusal at admission. */
  says: RegExp;
}

const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

const egress = (guarantee: string, limit: string): Partial<SliceSpec> => ({
  resources: { egress: { guarantee, limit } },
});

const MISTAKES: Mistake[] = [
  { what: 'a guarantee above the limit', spec: egress('20M', '10M'), says: /guarantee must not exceed the limit/ },
  {
    what: 'a window that ends before it starts',
    spec: { window: { start: later(7_200_000), end: later(3_600_000) } },
    says: /must start before it ends/,
  },
  {
    what: 'a window in the past',
    spec: { window: { end: later(-60_000) } },
    says: /ended at .*later spec\.window\.end/,
  },
  { what: 'no shares', spec: { resources: { cpu: { shares: 0 } } }, says: /cpu\.shares.*greater than or equal to 1/ },
  {
    what: '1001 shares',
    spec: { resources: { cpu: { shares: 1001 } } },
    says: /cpu\.shares.*less than or equal to 1000/,
  },
  { what: 'a bootScript with NUL', spec: { sliver: { bootScript: 'a\0b' } }, says: /bootScript/ },
  {
    what: 'a bootScript of more than 64 KiB in fewer characters',
    spec: { sliver: { bootScript: '#'.padEnd(40_000, 'é') } },
    says: /bootScript.*65536 bytes/,
  },
  {
    what: 'a bootScript of more than 64 Ki characters',
    spec: { sliver: { bootScript: '#'.repeat(65_537) } },
    says: /bootScript.*65536/,
  },
  { what: 'network: Host', spec: { sliver: { network: 'Host' } }, says: /Host needs the label/ },
  { what: 'a name of 53 characters', name: 'n'.repeat(53), spec: {}, says: /metadata\.name.*52/ },
];

describe('bad input', () => {
  let product: Product;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    await freshNamespace(product, LONGEST_NAMESPACE);
  });
  after(() => Promise.all([NAMESPACE, LONGEST_NAMESPACE].map((name) => dropNamespace(product, name))));

  /** The objects made for a slice. */
  async function made(slice: Slice): Promise<KubeObject[]> {
    const { namespace, name } = slice.metadata;
    const boot = await product.get(Resources.ConfigMap, { namespace, name: bootConfigMapName(name) });
    return [...(await rcapsOf(product, slice)), ...(await podsOf(product, slice)), ...(boot ? [boot] : [])];
  }

  /** What the server says at admission, or the operator in the status. */
  async function refusal(slice: Slice): Promise<string> {
    try {
      await product.apply(slice);
    } catch (error) {
      return (error as Error).message;
    }
    const accepted = await whenCondition(product, slice, 'Accepted', ({ status }) => status === 'False');
    const ready = await whenCondition(product, slice, 'Ready', ({ status }) => status === 'False');
    assert.equal(ready.reason, accepted.reason);
    return accepted.message;
  }

  for (const [index, { what, name, spec, says }] of MISTAKES.entries()) {
    it(`refuses ${what}`, async () => {
      const slice = sliceOf(product, NAMESPACE, name ?? `mistake-${index}`, spec);
      assert.match(await refusal(slice), says);
      assert.deepEqual(await made(slice), []);
    });
  }

  it('keeps what ran before an edit that is a mistake', async () => {
    const slice = sliceOf(product, NAMESPACE, 'edited', egress('1M', '2M'));
    await product.apply(slice);
    await whenReady(product, slice);
    const before = await rcapsOf(product, slice);
    assert.match(await refusal({ ...slice, spec: { ...slice.spec, ...egress('3M', '2M') } }), /must not exceed/);
    assert.deepEqual(
      (await rcapsOf(product, slice)).map(({ metadata, spec }) => [metadata.uid, spec]),
      before.map(({ metadata, spec }) => [metadata.uid, spec]),
    );
    assert.equal((await podsOf(product, slice)).length, before.length);
  });

  it('says that a node is not known', async () => {
    const placement = { nodeSelector: { 'kubernetes.io/hostname': 'nowhere' } };
    const slice = sliceOf(product, NAMESPACE, 'nowhere', { placement });
    await product.apply(slice);
    const allocated = await whenCondition(product, slice, 'Allocated', ({ status }) => status === 'False');
    assert.deepEqual([allocated.reason, allocated.message], ['NoNodes', 'no node matches spec.placement']);
    assert.deepEqual(await made(slice), []);
  });

  it('says that there are fewer nodes than asked for', async () => {
    const slice = sliceOf(product, NAMESPACE, 'many', { placement: { count: 7 } });
    await product.apply(slice);
    const allocated = await whenCondition(product, slice, 'Allocated', ({ reason }) => reason === 'TooFewNodes');
    assert.match(
      allocated.message,
      /asks for 7 nodes, 2 match its placement and are used meanwhile; lower spec\.placement\.count/,
    );
    const { status } = (await readSlice(product, slice))!;
    assert.equal(status?.nodes?.wanted, 7);
  });

  it('says that an image does not exist, and recovers when it is mended', async () => {
    const slice = sliceOf(product, NAMESPACE, 'image', { sliver: { image: 'registry.local/absent:1' } });
    await product.apply(slice);
    const says = /node\d: (ErrImagePull|ImagePullBackOff): .*registry\.local\/absent:1/;
    const isTold = ({ reason, message }: { reason: string; message: string }) =>
      reason === 'PodsFailing' && says.test(message);
    // a kubelet that asks for an image hears of nothing else meanwhile
    await whenCondition(product, slice, 'Ready', isTold);
    await product.apply(sliceOf(product, NAMESPACE, 'image'));
    await whenReady(product, slice, 300_000);
  });

  it('gives a port to one slice, and tells the other who has it', async () => {
    const ports = { resources: { ports: [{ protocol: 'UDP' as const, port: 5353 }] } };
    const first = sliceOf(product, NAMESPACE, 'port-first', ports);
    const second = sliceOf(product, NAMESPACE, 'port-second', ports);
    await product.apply(first);
    await whenReady(product, first);
    await product.apply(second);
    const allocated = await whenCondition(product, second, 'Allocated', ({ reason }) => reason === 'Denied');
    assert.match(allocated.message, /PortInUse: UDP port 5353 belongs to bad-input\/port-first-/);
    assert.deepEqual(await podsOf(product, second), []);
    await whenReady(product, first);
  });

  it('takes the longest names, and a bootScript full of quotes to the letter', async () => {
    const bootScript = `echo '$(X)' "$(echo "it's")" '$$(X)' \\"\`echo done\`\\"\nexec sleep infinity\n`;
    const sliver = { bootScript, env: [{ name: 'X', value: 'expanded' }], terminationGracePeriodSeconds: 1 };
    const slice = sliceOf(product, LONGEST_NAMESPACE, 'n'.repeat(52), { sliver });
    await product.apply(slice);
    await whenReady(product, slice);
    for (const { metadata } of await podsOf(product, slice)) {
      let said = '';
      await product.until('the script to have said something', async () => {
        said = await product.kubectl('logs', '-n', LONGEST_NAMESPACE, metadata.name);
        return said.endsWith('\n');
      });
      assert.equal(said, `$(X) it's $$(X) "done"\n`);
    }
  });
});
