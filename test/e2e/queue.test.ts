/** Slices that wait in the queue, whose broker runs as a slice itself, on a real cluster. */
import assert from 'node:assert/strict';
import { ANNOTATION_WINDOW, LABEL_QUEUED } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { replay, type Logged } from '../node-daemonset/admission/replay.ts';
import { BROKER, dropBroker, killBroker, startBroker } from './broker.ts';
import { grantLogOf, offerOf } from './grantlog.ts';
import { heldOf } from './kernel.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import {
  conditionOf,
  dropNamespace,
  freshNamespace,
  podsOf,
  readSlice,
  sliceOf,
  sliversOf,
  whenCondition,
  whenReady,
} from './slices.ts';

const SITE = 'queued';

describe('the queue', () => {
  let product: Product;
  let broker: Slice;
  let since: number;
  const slices = new Map<string, Slice>();

  before(async () => {
    product = await sharedProduct();
    await dropBroker(product);
    await freshNamespace(product, SITE);
    broker = await startBroker(product, [SITE]);
    since = Date.now();
    for (const name of ['first', 'second', 'third']) {
      const slice = sliceOf(product, SITE, name, {
        broker: BROKER,
        resources: { cpu: { shares: 150 }, egress: { guarantee: '5M', limit: '20M' } },
        sliver: { terminationGracePeriodSeconds: 1 },
      });
      slice.metadata.annotations = { [ANNOTATION_WINDOW]: '600' };
      slices.set(name, slice);
      await product.apply(slice);
      await product.until(`${name} to be told its place`, async () => (await queued(name)) !== undefined);
    }
  });
  after(async () => {
    await dropNamespace(product, SITE);
    await dropBroker(product);
  });

  const queued = (name: string) => conditionOf(product, slices.get(name)!, 'Queued');
  const says = (name: string, text: RegExp) =>
    whenCondition(product, slices.get(name)!, 'Queued', ({ status, message }) => text.test(`${status} ${message}`));
  const release = (name: string) => product.kubectl('delete', 'slice', '-n', SITE, name);
  const wholes = async () => {
    const rights = await product.list<ResourceCapability>(Resources.ResourceCapability, BROKER);
    return rights.filter(({ spec }) => spec.window !== undefined && spec.from === undefined);
  };

  it('opens one window at a time, and tells the others their place', async () => {
    await says('first', /^False place 1 of 3, open until /);
    await says('second', /^True place 2 of 3, opens at /);
    await says('third', /^True place 3 of 3, opens at /);
    await whenReady(product, slices.get('first')!);
    const [sliver] = await sliversOf(product, slices.get('first')!);
    assert.equal(sliver!.rcap.status!.granted!.from?.split('/')[0], BROKER);
    assert.notEqual(heldOf(product.cluster, sliver!.node, sliver!.pod.metadata.uid!).weight, undefined);
    assert.deepEqual(await podsOf(product, slices.get('second')!), []);
    const { reason } = (await conditionOf(product, slices.get('second')!, 'Allocated'))!;
    assert.equal(reason, 'WaitingForBroker');
    const counts = async (): Promise<number[]> => {
      return [...Map.groupBy(await wholes(), ({ spec }) => spec.nodeName).values()].map((own) => own.length);
    };
    await product.until(
      'a window of each on every node',
      async () => (await counts()).join() === NODES.map(() => 3).join(),
    );
  });

  it('lets whoever runs it suspend one of them by its wholes, and takes nothing back for it', async () => {
    const first = slices.get('first')!;
    const { uid } = (await readSlice(product, first))!.metadata;
    const own = (await wholes()).filter(({ metadata }) => metadata.labels?.[LABEL_QUEUED] === uid);
    assert.deepEqual(own.map(({ spec }) => spec.nodeName).sort(), [...NODES]);
    const edit = async (suspended: object | null): Promise<void> => {
      for (const { metadata } of own) {
        const patch = JSON.stringify({ spec: { suspended } });
        await product.kubectl('patch', 'rcap', '-n', BROKER, metadata.name, '--type=merge', '-p', patch);
      }
    };
    await edit({ reason: 'probes our customers' });
    await whenCondition(product, first, 'Ready', ({ reason, message }) => {
      return reason === 'Suspended' && message.includes('probes our customers');
    });
    await product.until('its pods to be gone', async () => (await podsOf(product, first)).length === 0);
    assert.match((await queued('first'))!.message, /^place 1 of 3, open until /);
    await edit(null);
    await whenReady(product, first);
  });

  it('moves the others up when one goes early, also where the broker was just killed', async () => {
    const opened = (await queued('third'))!.message;
    for (const node of NODES) await killBroker(product, node);
    await release('first');
    await says('second', /^False place 1 of 2, open until /);
    await whenReady(product, slices.get('second')!);
    await says('third', /^True place 2 of 2, opens at /);
    await product.until(
      'an earlier time',
      async () => (await queued('third'))!.message.slice(-20) !== opened.slice(-20),
    );
    await release('second');
    await says('third', /^False place 1 of 1, open until /);
    await whenReady(product, slices.get('third')!);
    await whenReady(product, broker);
  });

  it('leaves nothing behind', async () => {
    await release('third');
    await product.until('the rights to be released', async () => (await wholes()).length === 0);
    assert.equal(await readSlice(product, slices.get('third')!), undefined);
    await product.until('nothing of the site to be left', async () => {
      return (await product.list(Resources.ResourceCapability, SITE)).length === 0;
    });
    await product.until('the Secrets to be collected', async () => {
      const secrets = await product.kubectl('get', 'secrets', '-n', SITE, '-o', 'jsonpath={.items[*].type}');
      return !secrets.includes('slice-operator.io/capability');
    });
  });

  it('gave no two of them the same time on a node, by the nodes’ own logs', async () => {
    for (const node of NODES) {
      const log = await grantLogOf(product, node);
      const { granted } = replay(log, await offerOf(product, node), since);
      const own = granted.filter(({ namespace, grant }) => namespace === BROKER && grant?.parent === undefined);
      assert.ok(own.length >= 3, `${own.length} windows on ${node}`);
      checkApart(log, new Set(own.map(({ uid }) => uid)));
    }
  });
});

/** After each line, no two of these rights hold at the same instant. */
function checkApart(log: readonly Logged[], uids: ReadonlySet<string>): void {
  const held = new Map<string, { start: number; end: number }>();
  for (const { event, uid, grant } of log) {
    if (!uids.has(uid)) continue;
    if (event === 'granted' || event === 'renewed') {
      const { start = -Infinity, end = Infinity } = grant!.period;
      held.set(uid, { start, end });
    } else if (event !== 'denied' && event !== 'resizeDenied') held.delete(uid);
    for (const [one, a] of held) {
      for (const [other, b] of held) {
        assert.ok(one === other || a.end <= b.start || b.end <= a.start, JSON.stringify([one, a, other, b]));
      }
    }
  }
}
