/** The queue broker as its example runs it: a Slice in a namespace of its own, with the rights that are written there. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { Slice } from '../../crds/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { runInNode } from '../cluster/node.ts';
import type { Product } from './product.ts';
import { dropNamespace, whenReady } from './slices.ts';

/** As in the example. */
export const BROKER = 'queue';

/** Resolves when it runs; sites are namespaces whose slices may wait in it. */
export async function startBroker(product: Product, sites: readonly string[]): Promise<Slice> {
  const file = fileURLToPath(new URL('../../examples/queue.yaml', import.meta.url));
  const objects = parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as KubeObject);
  const own = objects.filter(({ metadata }) => metadata.name !== 'lab' && metadata.namespace !== 'lab');
  const broker = own.find(({ kind }) => kind === 'Slice') as Slice;
  broker.spec.sliver.image = product.product;
  const binding = objects.find(({ metadata, kind }) => kind === 'RoleBinding' && metadata.namespace === 'lab')!;
  await product.apply(...own.filter(({ kind }) => kind === 'Namespace'));
  const bindings = sites.map((namespace) => ({ ...binding, metadata: { ...binding.metadata, namespace } }));
  await product.apply(...own.filter(({ kind }) => kind !== 'Namespace'), ...bindings);
  await whenReady(product, broker);
  return broker;
}

/** Kills its processes on a node outright; the kubelet starts them again. */
export async function killBroker({ cluster }: Product, node: string): Promise<void> {
  // pgrep has status 1 for none
  const found = await runInNode(cluster, node, ['pgrep', '-f', '^node.* operator/brokers/queue/main\\.ts']).catch(
    () => '',
  );
  const pids = found.split('\n').filter((pid) => pid !== '');
  if (pids.length > 0) await runInNode(cluster, node, ['kill', '-KILL', ...pids]).catch(() => {});
}

/** Takes it away with all that it held; its clients' Slices must be gone before. */
export async function dropBroker(product: Product): Promise<void> {
  await dropNamespace(product, BROKER);
  await product.kubectl('delete', 'clusterrolebinding,clusterrole', 'slice-queue', '--ignore-not-found');
  await product.kubectl('delete', 'clusterrole', 'slice-queue-client', '--ignore-not-found');
}
