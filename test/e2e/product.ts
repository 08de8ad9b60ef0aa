/** The product on a real cluster of its own: for end-to-end tests and benchmarks. */
import { homedir } from 'node:os';
import { delimiter } from 'node:path';
import type { Slice } from '../../crds/types.ts';
import { createClient, type ApiClient } from '../../kube/client.ts';
import { type KubeObject, type ObjectRef, type Resource, resourcePath, Resources } from '../../kube/resources.ts';
import { installChart } from '../chart/install.ts';
import { adminKubeconfig, cacheDir, type Cluster } from '../cluster/config.ts';
import { kubectl } from '../cluster/controlplane.ts';
import { findCluster } from '../cluster/cluster.ts';
import { down } from '../cluster/down.ts';
import { buildImages } from '../cluster/images.ts';
import { loadIntoCluster } from '../cluster/load.ts';
import { until } from '../cluster/progress.ts';
import { up } from '../cluster/up.ts';
import { standing } from './standing.ts';

export interface Product {
  cluster: Cluster;
  kubeconfig: string;
  /** As cluster admin. */
  client: ApiClient;
  /** Images by name: ours, and one with a shell and iperf3. */
  product: string;
  workload: string;
  kubectl(...argv: string[]): Promise<string>;
  apply(...objects: object[]): Promise<void>;
  list<T extends KubeObject>(resource: Resource, namespace?: string): Promise<T[]>;
  get<T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T | undefined>;
  /** Waits until the question is answered with yes; asks often, so that what is measured is not the asking. */
  until(what: string, question: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
  /** Takes the cluster away with everything in it. */
  close(): Promise<void>;
}

/** Namespaces of slices' nodes' owner: no budget below the whole node, so that tests need no second object. */
export const OWNERS_BUDGET = { budget: { shares: 1000, ports: 1000, pending: 1000 } };

export interface ProductOptions {
  name: string;
  nodes: number;
  cpus?: number;
}

/** A cluster with the chart installed and every node ready to grant. Takes half a minute once the images are built. */
export async function startProduct({ name, nodes, cpus }: ProductOptions): Promise<Product> {
  const cache = cacheDir(homedir(), process.env.SLICE_CACHE);
  const left = findCluster(cache, name);
  // a run that was cut off left it in a state that nobody knows; KEEP=1 goes on with it
  if (left && process.env.KEEP === undefined) await down(left);
  const searched = [process.env.KUBEBUILDER_ASSETS ?? '', ...(process.env.PATH ?? '').split(delimiter)];
  const cluster = await up({ cache, name, nodes, cpus, searched: searched.filter((dir) => dir !== '') });
  const kubeconfig = adminKubeconfig(cluster);
  const images = await buildImages(cache);
  await loadIntoCluster(cluster, Object.values(images));
  const client = await createClient({ kubeconfig });
  const product: Product = {
    cluster,
    kubeconfig,
    client,
    product: images.product.name,
    workload: images.workload.name,
    kubectl: (...argv) => kubectl(cluster, argv),
    async apply(...objects) {
      const items = { apiVersion: 'v1', kind: 'List', items: objects };
      await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify(items));
    },
    async list(resource, namespace) {
      const { items } = await client.request<{ items: never[] }>('GET', resourcePath(resource, { namespace }));
      return items;
    },
    get: (resource, ref) => client.get(resource, ref),
    until: (what, question, timeoutMs = 180_000) => until(what, timeoutMs, question, undefined, 20),
    async close() {
      await client.close();
      await down(cluster);
    },
  };
  const colon = product.product.lastIndexOf(':');
  const image = { repository: product.product.slice(0, colon), tag: product.product.slice(colon + 1) };
  try {
    await installChart({
      kubeconfig,
      values: {
        image,
        node: { auditPage: true, sensorPage: true, exposeMetrics: true },
        operator: { audit: true, sensors: true, transfers: true },
        // as nodes: no pool below all that there is, but for the sites that are about pools
        sites: { shares: 1000, labelled: { pooled: 100 } },
      },
      rolloutTimeoutMs: 300_000,
    });
    await product.until('every node to grant', async () => (await readyNodes(product)) === nodes, 240_000);
  } catch (error) {
    await client.close();
    const message = error instanceof Error ? error.message : String(error);
    const stands = `it stands: KUBECONFIG=${kubeconfig}, make down`;
    throw new Error(`${message}\n${await standing(product.kubectl)}\n${stands}`, { cause: error });
  }
  for (let n = 1; n <= nodes; n++) {
    const metadata = { name: `node${n}` };
    await product.apply({ apiVersion: 'slice-operator.io/v1alpha1', kind: 'SliceNode', metadata, spec: OWNERS_BUDGET });
  }
  return product;
}

async function readyNodes(product: Product): Promise<number> {
  const nodes = await product.list<KubeObject & { status?: Slice['status'] }>(Resources.SliceNode);
  return nodes.filter(({ status }) => isReady(status)).length;
}

/** Whether the condition Ready of a status is True. */
export function isReady(status: { conditions?: { type: string; status: string }[] } | undefined): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}
