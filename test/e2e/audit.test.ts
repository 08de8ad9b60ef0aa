/** Who sent what: from a packet of a sliver to the answer that a stranger gets, on the node and for the whole cluster. */
import assert from 'node:assert/strict';
import type { KubeObject } from '../../kube/resources.ts';
import { Resources } from '../../kube/resources.ts';
import { hostAddress, nodeAddress, nodeNumber } from '../cluster/config.ts';
import { runInNode } from '../cluster/node.ts';
import { findProcesses, killProcess, whenAnother } from './operator.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, type Sliver, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'audit';
const PAGE_PORT = 33_090;
const CONTACT = 'measurements@example.org';
/** Where nobody listens: what was sent there is recorded all the same. */
const PORT = 9_999;

interface FoundFlow {
  namespace: string;
  slice: string;
  contact?: string;
  destination?: string;
  destinationPort?: number;
  packets: number;
}

describe('the record of who sent what', () => {
  let product: Product;
  let slivers: Sliver[];
  let stranger: string;

  const pageOf = (node: string): string =>
    `http://${nodeAddress(product.cluster.index, nodeNumber(node))}:${PAGE_PORT}`;
  const read = async (url: string): Promise<string> => {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    const text = await response.text();
    assert.equal(response.status, 200, `${url}: ${text}`);
    return text;
  };
  const publish = async (page: object | null): Promise<void> => {
    for (const node of NODES) {
      const patch = JSON.stringify({ spec: { audit: page && { page } } });
      await product.kubectl('patch', 'slicenode', node, '--type=merge', '-p', patch);
    }
  };

  /** What the slice sent to the port, by an answer of a page. */
  const flowsIn = (json: string): FoundFlow[] =>
    (JSON.parse(json) as { flows: FoundFlow[] }).flows.filter(
      ({ namespace, slice, destinationPort: port }) => `${namespace}/${slice}` === 'audit/scanner' && port === PORT,
    );
  const sentIn = (json: string): number => flowsIn(json).reduce((sum, { packets }) => sum + packets, 0);

  before(async () => {
    product = await sharedProduct();
    stranger = hostAddress(product.cluster.index);
    await freshNamespace(product, NAMESPACE);
    await publish({ port: PAGE_PORT, contact: 'owner@example.org' });
    const slice = { ...sliceOf(product, NAMESPACE, 'scanner') };
    slice.spec.contact = CONTACT;
    await product.apply(slice);
    await whenReady(product, slice);
    slivers = await sliversOf(product, slice);
    for (const { pod } of slivers) {
      const send = `for i in 1 2 3; do echo x > /dev/udp/${stranger}/${PORT}; done`;
      await product.kubectl('exec', '-n', NAMESPACE, pod.metadata.name, '--', 'bash', '-c', send);
    }
  });
  after(async () => {
    await publish(null);
    await dropNamespace(product, NAMESPACE);
  });

  it('is on the page of each node, by destination, with the contact of the slice', async () => {
    for (const { node } of slivers) {
      const url = `${pageOf(node)}/destination/${stranger}`;
      const shows = (): Promise<boolean> =>
        read(url).then(
          (text) => text.includes('audit/scanner'),
          () => false, // the page itself takes a moment
        );
      await product.until('the flow to be on the page', shows, 180_000);
      // what a drain in the midst of the sending took is there before the rest
      const isAll = (): Promise<boolean> =>
        read(`${url}.json`).then(
          (json) => sentIn(json) >= 3,
          () => false, // whoever asks too much at once is asked to come again
        );
      await product.until('all of it to be there', isAll);
      const html = await read(url);
      assert.match(html, /<a href="mailto:measurements(@|%40)example\.org/);
      assert.doesNotMatch(html, /<script/);
      const json = await read(`${url}.json`);
      assert.equal(sentIn(json), 3, json);
      const found = flowsIn(json);
      assert.ok(found.every(({ contact, destination }) => contact === CONTACT && destination === stranger));
      assert.match(await read(`${url}.csv`), /,audit,scanner,/);
      assert.match(await read(`${pageOf(node)}/`), /owner@example\.org/);
    }
  });

  it('is one answer for all nodes', async () => {
    const pods = await product.list<KubeObject & { status?: { podIP?: string } }>(Resources.Pod, 'slice-system');
    const operator = pods.find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'operator');
    assert.ok(operator?.status?.podIP);
    const url = `http://${operator.status.podIP}:8082/flows.csv?destination=${stranger}&port=${PORT}`;
    for (const node of NODES) {
      // the operator hears of pages by the nodes' statuses
      const isTold = (): Promise<boolean> =>
        read(url).then(
          (csv) => new RegExp(`^${node},Flow,.*,audit,scanner,`, 'm').test(csv),
          () => false,
        );
      await product.until(`the flows of ${node}`, isTold);
    }
  });

  it('is in the files of each node, from which a node manager that was killed has it again', async () => {
    for (const { node } of slivers) {
      // they are written a moment after they are in memory, from which pages are made
      await product.until(`the files of ${node} to have it`, async () => {
        const files = await runInNode(product.cluster, node, [
          'sh',
          '-c',
          'zcat -q /var/lib/slice-operator/flows/*.gz || true',
        ]);
        return files.includes(CONTACT) && files.includes(stranger);
      });
      const before = await findProcesses(product, node, 'node-daemonset');
      await killProcess(product, node, 'node-daemonset');
      await whenAnother(product, node, 'node-daemonset', before);
      const url = `${pageOf(node)}/destination/${stranger}.json`;
      const hasAll = (): Promise<boolean> =>
        read(url).then(
          (text) => sentIn(text) === 3,
          () => false, // it reads an hour back first
        );
      await product.until(`what was sent from ${node} to be found again`, hasAll, 240_000);
    }
  });

  it('says nothing when its owner wants no page', async () => {
    await publish(null);
    await product.until('the pages to be gone', async () => {
      const answers = NODES.map((node) =>
        read(`${pageOf(node)}/`).then(
          () => true,
          () => false,
        ),
      );
      return (await Promise.all(answers)).every((answered) => !answered);
    });
  });
});
