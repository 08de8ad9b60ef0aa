/** `bench -- slice`: a Slice applied -> every sliver Ready, and deleted -> nothing left on either node. */
import { API_VERSION } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { tracesOf } from '../e2e/kernel.ts';
import { isReady, type Product, startProduct } from '../e2e/product.ts';
import { footprintsOf, sliversOf } from '../e2e/slices.ts';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';

const ROUNDS = 10;
const NODES = ['node1', 'node2'];
/** The paper has 9.66 s a node, after a poll of up to 10 minutes. */
const READY_S = 4;
const GONE_S = 5;

function slice(image: string, round: number): Slice {
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name: `bench-${round}`, namespace: 'default' },
    spec: {
      contact: 'bench@example.org',
      resources: { cpu: { shares: 50 } },
      // ends on SIGTERM
      sliver: { image, command: ['/bin/bash', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'] },
    },
  };
}

async function round(product: Product, index: number): Promise<{ ready: number; gone: number }> {
  const { client, workload } = product;
  const object = slice(workload, index);
  const ref = { namespace: 'default', name: object.metadata.name };
  const applied = performance.now();
  const { metadata } = await client.apply(object, { fieldManager: 'bench' });
  await product.until('the slice to be Ready', async () =>
    isReady((await client.get<Slice>(Resources.Slice, ref))?.status),
  );
  const ready = (performance.now() - applied) / 1000;

  const footprints = await footprintsOf(product, await sliversOf(product, object));
  const deleted = performance.now();
  await client.remove(Resources.Slice, { ...ref, uid: metadata.uid });
  await product.until('nothing to be left', async () => {
    const objects = await Promise.all(
      [Resources.Slice, Resources.ResourceCapability, Resources.Pod].map((one) => product.list(one, 'default')),
    );
    if (objects.some((list) => list.length > 0)) return false;
    return (await tracesOf(product.cluster, footprints)).length === 0;
  });
  return { ready, gone: (performance.now() - deleted) / 1000 };
}

/** The same of a pod that has nothing to do with us: what the kubelet itself takes. */
async function plainPod({ apply, client, until, workload }: Product): Promise<number> {
  const { command } = slice(workload, 0).spec.sliver;
  const ref = { namespace: 'default', name: 'plain' };
  const containers = [{ name: 'main', image: workload, command }];
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: ref,
    spec: { containers, automountServiceAccountToken: false },
  });
  await until('the plain pod to run', async () => {
    const pod = await client.get<KubeObject & { status?: { phase?: string } }>(Resources.Pod, ref);
    return pod?.status?.phase === 'Running';
  });
  const deleted = performance.now();
  await client.remove(Resources.Pod, ref);
  await until('the plain pod to be gone', async () => (await client.get(Resources.Pod, ref)) === undefined);
  return (performance.now() - deleted) / 1000;
}

export const bench: Bench = {
  about: 'Slice applied -> all slivers Ready, deleted -> nothing left; needs root and a cluster of its own',
  async run(report: Report, progress) {
    const product = await startProduct({ name: 'bench', nodes: NODES.length });
    try {
      const times: { ready: number; gone: number }[] = [];
      for (let index = 0; index < ROUNDS; index++) {
        times.push(await round(product, index));
        const { ready, gone } = times.at(-1)!;
        progress(`round ${index + 1} of ${ROUNDS}: Ready in ${ready.toFixed(2)} s, gone in ${gone.toFixed(2)} s`);
      }
      const plain = [await plainPod(product), await plainPod(product), await plainPod(product)];
      const readyS = times.map(({ ready }) => ready);
      const goneS = times.map(({ gone }) => gone);
      report({
        name: 'applied -> every sliver Ready on 2 nodes, p50',
        value: percentile(readyS, 50),
        unit: 's',
        bar: { max: READY_S },
      });
      report({
        name: 'deleted -> nothing left on either node, p50',
        value: percentile(goneS, 50),
        unit: 's',
        bar: { max: GONE_S },
      });
      const name = 'for comparison, a plain pod deleted -> its object gone, p50';
      report({ name, value: percentile(plain, 50), unit: 's', note: 'what this kubelet takes for any pod' });
    } finally {
      await product.close();
    }
  },
};
