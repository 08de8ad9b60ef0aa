/** Brings up a cluster of namespaces: what is there already is left as it is, so that `up` also mends. */
import { ensureBinaries } from './binaries.ts';
import { machineCpus } from './cgroups.ts';
import { createCluster, findCluster } from './cluster.ts';
import { adminKubeconfig, MAX_NODES, nodeName, type Cluster } from './config.ts';
import { kubectl, startControlPlane } from './controlplane.ts';
import { cpusAreShared, cpusPerNode, formatCpuList, nodeCpus, parseCpuList } from './cpus.ts';
import { buildImages } from './images.ts';
import { createKeys } from './keys.ts';
import { imagesOf, loadImages, rememberImages } from './load.ts';
import { createControlNamespace } from './network.ts';
import { bootNode, joinNode, startInNode } from './node.ts';
import { ensurePackages } from './packages.ts';
import { say, step, until } from './progress.ts';

export interface UpOptions {
  cache: string;
  name: string;
  /** 0 to MAX_NODES; 0 is an API server with its controllers and no node. */
  nodes: number;
  /** CPUs of each node; an equal part of the machine's unless given. */
  cpus?: number;
  /** Directories in which the user may have Kubernetes' programs. */
  searched: readonly string[];
}

/** Everything that must be on the machine before a cluster can be brought up. */
export async function prepare(cache: string, searched: readonly string[]) {
  if (process.getuid?.() !== 0)
    throw new Error('a cluster of namespaces needs root; with Docker and kind it would not');
  await ensurePackages(['cluster', 'images']);
  return ensureBinaries(cache, searched);
}

/** A description of the cluster to be, or the one that is there. */
async function describeCluster(options: UpOptions): Promise<Cluster> {
  const existing = findCluster(options.cache, options.name);
  if (existing !== undefined) return existing;
  const binaries = await prepare(options.cache, options.searched);
  const cpus = parseCpuList(machineCpus());
  const perNode = cpusPerNode(cpus.length, options.nodes, options.cpus);
  return createCluster(options.cache, options.name, {
    cpus,
    cpusPerNode: perNode,
    binaries: binaries.dir,
    minor: binaries.minor,
  });
}

/** Switches a node on and loads its images: all that needs no API server. */
async function prepareNode(
  cluster: Cluster,
  node: string,
  remembered: Promise<void> = Promise.resolve(),
): Promise<void> {
  await bootNode(cluster, node);
  await startInNode(cluster, node, 'containerd');
  await remembered;
  await loadImages(cluster, node, imagesOf(cluster));
}

/** Switches a node on, from the disk that it had if there is one, and waits until it is Ready. */
export async function bringUpNode(cluster: Cluster, node: string): Promise<void> {
  await prepareNode(cluster, node);
  await joinNode(cluster, node);
}

/** @returns when pods can be created and will run. */
export async function up(options: UpOptions): Promise<Cluster> {
  if (!Number.isInteger(options.nodes) || options.nodes < 0 || options.nodes > MAX_NODES) {
    throw new Error(`NODES=${options.nodes}: a cluster has 0 to ${MAX_NODES} nodes`);
  }
  const cluster = await describeCluster(options);
  if (cpusAreShared(cluster.cpus.length, cluster.cpusPerNode, options.nodes)) {
    say(
      `${options.nodes} nodes with ${cluster.cpusPerNode} CPU each on ${cluster.cpus.length} CPUs: nodes share CPUs, and shares of them mean less`,
    );
  }
  await createKeys(cluster);
  await createControlNamespace(cluster);
  const images = step('images', async () => {
    rememberImages(cluster, Object.values(await buildImages(cluster.cache)));
  });
  const names = Array.from({ length: options.nodes }, (_, i) => nodeName(i + 1));
  await Promise.all([
    images,
    step('control plane', () => startControlPlane(cluster)),
    ...names.map((node) => prepareNode(cluster, node, images)),
  ]);
  await Promise.all(
    names.map((node, i) => {
      const cpus = formatCpuList(nodeCpus(cluster.cpus, cluster.cpusPerNode, i + 1));
      return step(`${node} joined, CPU ${cpus}`, () => joinNode(cluster, node));
    }),
  );
  // without its service account no pod can be created in a namespace
  const account = () =>
    kubectl(cluster, ['get', 'serviceaccount', 'default']).then(
      () => true,
      () => false,
    );
  await until('default service account', 180_000, account);
  say(`cluster ${cluster.name} is up: export KUBECONFIG=${adminKubeconfig(cluster)}`);
  return cluster;
}
