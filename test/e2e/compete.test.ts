/** Two brokers and the default one want the same nodes of a real cluster: for a minute each of them asks at random. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { Rivals } from '../apiserver/operator/rivals.ts';
import { replay, type Replayed } from '../node-daemonset/admission/replay.ts';
import { BROKER, dropBroker, startBroker } from './broker.ts';
import { grantLogOf, offerOf } from './grantlog.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf } from './slices.ts';

const namespaces = { hand: 'rival-hand', slices: 'rival-slices', queued: 'rival-queued', broker: BROKER };
const SITES = [namespaces.hand, namespaces.slices, namespaces.queued];
const SEED = 11;

describe('brokers that compete', () => {
  let product: Product;
  let rivals: Rivals;
  let since: number;

  before(async () => {
    product = await sharedProduct();
    await dropBroker(product);
    for (const name of SITES) await freshNamespace(product, name);
    await startBroker(product, [namespaces.queued]);
    const { sliver } = sliceOf(product, namespaces.slices, 'any', {
      sliver: { terminationGracePeriodSeconds: 1 },
    }).spec;
    rivals = new Rivals({ client: product.client, nodes: NODES, namespaces, sliver, seed: SEED });
    since = Date.now();
  });
  after(async () => {
    for (const name of SITES) await dropNamespace(product, name);
    await dropBroker(product);
  });

  /** What the nodes' logs say since the beginning; checks that at no instant more was granted than there is. */
  const books = async (): Promise<Replayed[]> => {
    const replayed: Replayed[] = [];
    for (const node of NODES) {
      replayed.push(replay(await grantLogOf(product, node), await offerOf(product, node), since));
    }
    return replayed;
  };
  const answersTo = (of: readonly Replayed[], namespace: string): number =>
    of.flatMap(({ granted, refused }) => [...granted, ...refused]).filter((one) => one.namespace === namespace).length;
  /** What the queue gave its clients. */
  const handedOver = (of: readonly Replayed[]) =>
    of
      .flatMap(({ granted }) => granted)
      .filter(({ reason, namespace }) => reason === 'Redeemed' && namespace === namespaces.queued);
  /** Whoever was refused for a while comes later; a busy machine takes longer. Answers the books, also where it was in vain. */
  const moreUntil = async (enough: (now: readonly Replayed[]) => boolean): Promise<Replayed[]> => {
    let now = await books();
    for (let more = 0; more < 30 && !enough(now); more++) {
      await rivals.compete(['hand', 'slices', 'queued'], 5_000, 400);
      now = await books();
    }
    return now;
  };

  it('get no more than there is at any instant, and a reason where they get nothing', async () => {
    await rivals.compete(['hand', 'slices', 'queued'], 60_000, 400);
    const everybody = [...SITES, BROKER];
    const all = await moreUntil((now) => {
      const isRefused = now.some(({ refused }) => refused.length > 0);
      return isRefused && handedOver(now).length > 0 && everybody.every((one) => answersTo(now, one) > 0);
    });
    for (const namespace of everybody) assert.ok(answersTo(all, namespace) > 0, `nothing in ${namespace}`);
    assert.ok(
      all.some(({ refused }) => refused.length > 0),
      'they competed for nothing',
    );
    assert.ok(handedOver(all).length > 0, 'the queue handed nothing over');
  });

  it('do not notice that one of them stops', async () => {
    await product.kubectl('delete', 'slice', '-n', BROKER, 'broker');
    await product.until('answers to all that it had asked', async () => {
      const asked = await product.list<ResourceCapability>(Resources.ResourceCapability, BROKER);
      return asked.every(({ metadata, status }) => (status?.observedGeneration ?? 0) >= metadata.generation!);
    });
    const before = await books();
    await rivals.compete(['hand', 'slices', 'queued'], 20_000, 400);
    const after = await moreUntil((now) =>
      [namespaces.hand, namespaces.slices].every((one) => answersTo(now, one) > answersTo(before, one)),
    );
    for (const namespace of [namespaces.hand, namespaces.slices]) {
      assert.ok(answersTo(after, namespace) > answersTo(before, namespace), `${namespace} gets no answers`);
    }
    assert.equal(answersTo(after, BROKER), answersTo(before, BROKER));
    const lines = (await Promise.all(NODES.map((node) => grantLogOf(product, node)))).flat();
    // what was handed over ends with its window or its slice, and not with its broker
    const given = handedOver(after);
    for (const { uid } of given) {
      const end = lines.findLast((line) => line.uid === uid && line.reason !== 'Redeemed');
      assert.ok(end === undefined || ['expired', 'released'].includes(end.event), JSON.stringify(end));
    }
  });

  it('leave nothing behind once the broker is there again', async () => {
    await startBroker(product, [namespaces.queued]);
    await rivals.release();
    for (const namespace of SITES) {
      await product.until(
        `no right in ${namespace}`,
        async () => {
          return (await product.list(Resources.ResourceCapability, namespace)).length === 0;
        },
        300_000,
      );
    }
    await product.until(
      'no window in the broker’s hands',
      async () => {
        const left = await product.list<ResourceCapability>(Resources.ResourceCapability, BROKER);
        return left.every(({ spec }) => spec.window === undefined);
      },
      300_000,
    );
    // nodes write down a moment later what is gone
    await product.until(
      'the nodes’ books to be empty',
      async () => {
        const entries = (await books()).flatMap(({ ledger }) => ledger.entries);
        return !entries.some(({ namespace, grant }) => SITES.includes(namespace) && grant);
      },
      300_000,
    );
  });
});
