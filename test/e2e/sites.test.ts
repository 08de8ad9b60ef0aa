/** Overrides and a site's pool on real nodes: what the kernel keeps, what is refused, and what an edit leaves alone. */
import assert from 'node:assert/strict';
import { ANNOTATION_OVERRIDES, LABEL_SITE } from '../../crds/names.ts';
import type { Slice, SliceSpec } from '../../crds/types.ts';
import { heldOf } from './kernel.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import {
  dropNamespace,
  freshNamespace,
  rcapsOf,
  readSlice,
  sliceOf,
  sliversOf,
  whenCondition,
  whenReady,
} from './slices.ts';

/** The product is installed with 100 shares for each node of this site. */
const SITE = { [LABEL_SITE]: 'pooled' };
const [WEB, DB] = ['pooled-web', 'pooled-db'];
const [FIRST] = NODES;
const POOL = 100 * NODES.length;

describe('overrides and the pool of a site', () => {
  let product: Product;

  before(async () => {
    product = await sharedProduct();
    for (const name of [WEB, DB]) await freshNamespace(product, name, SITE);
  });
  after(async () => {
    for (const name of [WEB, DB]) await dropNamespace(product, name);
  });
  afterEach(async () => {
    for (const name of [WEB, DB]) await product.kubectl('delete', 'slices', '--all', '-n', name, '--timeout=350s');
  });

  const slice = (name: string, namespace: string, spec: Partial<Omit<SliceSpec, 'sliver'>>): Slice =>
    sliceOf(product, namespace, name, { ...spec, sliver: { terminationGracePeriodSeconds: 1 } });
  const share = (each: number) => ({ resources: { cpu: { shares: each } } });

  it('give one node other resources, in the kernel too, and an edit of them leaves the other node alone', async () => {
    const over = (shares: number): Slice =>
      slice('web', WEB, {
        ...share(20),
        overrides: [
          { name: 'all', nodeSelector: { 'kubernetes.io/os': 'linux' }, resources: { cpu: { shares: 30 } } },
          { name: 'first', node: FIRST, resources: { cpu: { shares }, egress: { guarantee: '2M', limit: '3M' } } },
        ],
      });
    await product.apply(over(60));
    await whenReady(product, over(60));
    const before = await sliversOf(product, over(60));
    assert.deepEqual(
      before.map(({ node, rcap }) => [
        node,
        rcap.status?.granted?.resources.cpu?.shares,
        rcap.metadata.annotations?.[ANNOTATION_OVERRIDES],
      ]),
      NODES.map((node) => (node === FIRST ? [node, 60, 'all,first'] : [node, 30, 'all'])),
    );
    const weight = (of: typeof before, node: string) =>
      heldOf(product.cluster, node, of.find((one) => one.node === node)!.pod.metadata.uid!).weight;
    const other = NODES.find((node) => node !== FIRST)!;
    const weighsMore = () => Promise.resolve(weight(before, FIRST) > weight(before, other));
    await product.until('twice the shares to weigh more', weighsMore);

    await product.apply(over(40));
    const former = before.find(({ node }) => node === FIRST)!.pod.metadata.uid;
    await product.until('the edit to be granted, and its pod to be replaced', async () => {
      const first = (await sliversOf(product, over(40))).find(({ node }) => node === FIRST);
      return first?.rcap.status?.granted?.resources.cpu?.shares === 40 && first.pod.metadata.uid !== former;
    });
    await whenReady(product, over(40));
    const after = await sliversOf(product, over(40));
    for (const node of NODES) {
      const [was, is] = [before, after].map((all) => all.find((one) => one.node === node)!);
      assert.equal(is!.pod.metadata.uid === was!.pod.metadata.uid, node !== FIRST, `the pod on ${node}`);
      assert.equal(
        is!.rcap.metadata.generation === was!.rcap.metadata.generation,
        node !== FIRST,
        `the right on ${node}`,
      );
    }
    assert.deepEqual((await readSlice(product, over(40)))?.status?.overrides, [
      { name: 'all', slivers: NODES.length },
      { name: 'first', slivers: 1 },
    ]);
    const why = await product.kubectl(
      'get',
      'slice',
      'web',
      '-n',
      WEB,
      '-o',
      'jsonpath={.status.resources.cpu.shares}',
    );
    assert.equal(why, '20');
  });

  it('share one pool among the projects of a site: the books refuse, the older one keeps, what is free is given', async () => {
    const web = slice('web', WEB, share(70));
    await product.apply(web);
    await whenReady(product, web);
    const index = slice('index', DB, share(40));
    await product.apply(index);
    const isRefused = ({ reason }: { reason: string }) => reason === 'InsufficientSiteShares';
    const { message } = await whenCondition(product, index, 'Allocated', isRefused);
    assert.match(message, new RegExp(`site pooled has a pool of ${POOL} \\(100 for each of ${NODES.length} nodes\\)`));
    assert.match(message, new RegExp(`${WEB}/web holds ${70 * NODES.length}, `));
    const held = (await rcapsOf(product, index)).length * 40 + 70 * NODES.length;
    assert.ok(held <= POOL, `${held} of ${POOL}`);

    const more = slice('web', WEB, share(100));
    await product.apply(more);
    await whenCondition(product, more, 'Allocated', isRefused);
    for (const { rcap } of await sliversOf(product, web)) assert.equal(rcap.status?.granted?.resources.cpu?.shares, 70);

    await product.apply(slice('web', WEB, share(60)));
    await whenReady(product, index);
    assert.equal((await rcapsOf(product, index)).length, NODES.length);
  });
});
