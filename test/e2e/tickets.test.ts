/** The broker of tickets as a slice of its own, from the example: a ticket becomes a sliver of its holder, once. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { formatSeconds, inFull } from '../../operator/brokers/tickets/claim.ts';
import { COMMANDS } from '../../operator/brokers/tickets/command/commands.ts';
import { ask, redeem } from '../../operator/brokers/tickets/command/redeem.ts';
import { issue, type Ticket } from '../../operator/brokers/tickets/ticket.ts';
import { nodeAddress, nodeNumber } from '../cluster/config.ts';
import { ANNA, BEN, give, nonceOf, refused, SITE } from '../operator/brokers/tickets/tickets.ts';
import { heldOf } from './kernel.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, sliceOf, sliversOf, freshNamespace, whenReady } from './slices.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/tickets/broker.yaml', import.meta.url));
const BROKERS = 'tickets';
const HOLDERS = 'ticket-holder';
const PORT = 8085;

const worth = (shares: number, memory = '64Mi') => ({
  cpu: { shares },
  egress: { guarantee: '100k', limit: '5M' },
  memory,
});

describe('tickets, at a broker that is a slice', () => {
  let product: Product;
  let broker: Slice;
  let brokerKey: string;
  let count = 0;

  before(async () => {
    product = await sharedProduct();
    await dropNamespace(product, BROKERS);
    await freshNamespace(product, HOLDERS);
    const objects = exampleFor(product);
    broker = objects.find(({ kind }) => kind === 'Slice') as Slice;
    const keys = await COMMANDS.keygen({ name: 'broker-key', namespace: BROKERS }, { read: () => '', now: Date.now });
    const [key] = parseAllDocuments(keys).map((one) => one.toJS() as KubeObject & { stringData: { public: string } });
    brokerKey = key!.stringData.public;
    const [namespace, ...rest] = objects;
    await product.apply(namespace!);
    await product.apply(key!, ...rest);
    await whenReady(product, broker);
    await whenAnswering();
  });
  after(async () => {
    await dropNamespace(product, HOLDERS);
    await dropNamespace(product, BROKERS);
  });

  /** The port that the broker's slice owns at its node's address. */
  async function url(): Promise<string> {
    const [sliver] = await sliversOf(product, broker);
    return `http://${nodeAddress(product.cluster.index, nodeNumber(sliver!.node))}:${PORT}`;
  }

  /** Its pod may be another one by now, and packets to a port without a pod are dropped. */
  async function whenAnswering(): Promise<void> {
    const answers = async (): Promise<boolean> => {
      const state = await fetch(await url(), { signal: AbortSignal.timeout(5_000) });
      return ((await state.json()) as { broker: string }).broker === brokerKey;
    };
    await product.until('the broker to answer', () => answers().catch(() => false), 300_000);
  }

  function ticketFor(asked: number): Ticket {
    const window = { start: formatSeconds(Date.now() - 1000), end: formatSeconds(Date.now() + 3_600_000) };
    const [issuer, holder, nonce] = [SITE.publicKey, ANNA.publicKey, fresh()];
    return issue({ issuer, holder, broker: brokerKey, resources: inFull(worth(asked, '512Mi')), window, nonce }, SITE);
  }
  const fresh = (): string => nonceOf(`e2e ${process.pid} ${Date.now()} ${count++}`);
  const request = async (ticket: Ticket, node: string = NODES[0]) => ({
    ...{ ticket, key: BEN, at: await url(), contact: 'e2e@example.org', node, nonce: fresh(), now: Date.now },
  });

  it('become a right of their holder, a sliver of a slice, and weight in the kernel', async () => {
    const ticket = give(ticketFor(60), ANNA, BEN, { resources: inFull(worth(40)) });
    const asked = await request(ticket);
    const yaml = await redeem({ ...asked, name: 'mine', namespace: HOLDERS });
    const objects = parseAllDocuments(yaml).map((one) => one.toJS() as KubeObject & { spec?: object });
    const slice = sliceOf(product, HOLDERS, 'survey', {
      broker: BROKERS,
      placement: { nodeSelector: { 'kubernetes.io/hostname': NODES[0] } },
    });
    const right = { ...objects[1]!, spec: { ...objects[1]!.spec, sliceName: 'survey' } };
    await product.apply(objects[0]!, right, slice);
    await product.until('the right to have a pod that runs', async () => {
      const pod = await product.get<KubeObject & { status?: { phase: string } }>(Resources.Pod, {
        namespace: HOLDERS,
        name: 'mine',
      });
      return pod?.status?.phase === 'Running';
    });
    const taken = await product.get<ResourceCapability>(Resources.ResourceCapability, {
      namespace: HOLDERS,
      name: 'mine',
    });
    assert.equal(taken!.status!.granted!.resources.cpu!.shares, 40);
    const pod = await product.get<KubeObject>(Resources.Pod, { namespace: HOLDERS, name: 'mine' });
    const weight = (): number => heldOf(product.cluster, NODES[0], pod!.metadata.uid!).weight;
    await product.until('its weight', async () => weight() > 2);
    await assert.rejects(ask(asked), refused('AlreadyRedeemed', /taken over/));
    await assert.rejects(ask(await request(ticket, NODES[1])), refused('AlreadyRedeemed', /a ticket grants once/));
  });

  it('are refused where they were over-issued, also when the broker was killed in between', async () => {
    const whole = ticketFor(50);
    const [one, two] = [30, 30].map((part) => give(whole, ANNA, BEN, { resources: inFull(worth(part)) })) as [
      Ticket,
      Ticket,
    ];
    const first = await request(one);
    const { value } = await ask(first);
    const [sliver] = await sliversOf(product, broker);
    await product.kubectl('delete', 'pod', '-n', BROKERS, sliver!.pod.metadata.name, '--wait');
    await whenAnswering();
    const again = async () => await ask({ ...first, at: await url() });
    assert.equal((await again()).value, value, 'the same request has the same answer');
    await assert.rejects(ask(await request(two)), refused('OverIssued', /^asks 30 shares, 20 of 50 left/));
  });

  it('say what the node said where it refuses', async () => {
    const node = NODES[1];
    const offer = async (shares: number | null): Promise<void> => {
      await product.kubectl('patch', 'slicenode', node, '--type=merge', '-p', JSON.stringify({ spec: { shares } }));
      await product.until('the node to go by it', async () => {
        const { metadata, status } = (await product.get<SliceNode>(Resources.SliceNode, { name: node }))!;
        return status?.observedGeneration === metadata.generation;
      });
    };
    const ticket = give(ticketFor(60), ANNA, BEN);
    try {
      await offer(11);
      await assert.rejects(ask(await request(ticket, node)), refused('NodeDenied', /Insufficient|Budget/));
    } finally {
      await offer(null);
    }
    assert.match((await ask(await request(ticket, node))).value, /^[0-9a-f]{32}$/);
  });
});

/** The example with our image, our nodes and the key of the tests' site; small, so that other tests find room. */
function exampleFor({ product }: Product): KubeObject[] {
  const text = readFileSync(EXAMPLE, 'utf8')
    .replace(/image: \S+ # the operator's.*/, `image: ${product}`)
    .replace('issuers: []', 'issuers:')
    .replaceAll(/^ {4}# /gm, '    ')
    .replace(/key: ed25519:\S+/, `key: ${SITE.publicKey}`)
    .replace('nodes: [node1, node2]', `nodes: [${NODES.join(', ')}]`);
  return parseAllDocuments(text).map((one) => one.toJS() as KubeObject);
}
