/** Which cluster: the one that is given, else kind where Docker runs, else one of namespaces on this machine. */
import { homedir } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { existsSync } from 'node:fs';
import { run, succeeds } from './command.ts';
import { findCluster, listClusters } from './cluster.ts';
import { adminKubeconfig, cacheDir, clusterDir, clustersDir, type Cluster } from './config.ts';
import { componentStates } from './components.ts';
import { kubectl } from './controlplane.ts';
import { down } from './down.ts';
import { buildImages } from './images.ts';
import { kindProvider } from './kind.ts';
import { loadIntoCluster } from './load.ts';
import { ensurePackages } from './packages.ts';
import { prepare, up, type UpOptions } from './up.ts';

/** What `make demo`, the tests and the benches need of a cluster, wherever it comes from. */
export interface Provider {
  name: string;
  /** Brings the cluster up unless it is. */
  up(): Promise<void>;
  /** Takes this cluster down, or all that we ever brought up. */
  down(all: boolean): Promise<void>;
  /** Installs and builds everything that `up` and the tests need, so that nothing has to be fetched later. */
  prepare(): Promise<void>;
  /** Builds the images and gets them into every node; resolves to their names: product, then workload. */
  load(): Promise<string[]>;
  status(): Promise<string>;
  /** Path of its kubeconfig. */
  kubeconfig(): string;
}

export type ProviderOptions = UpOptions & { kubeconfig?: string };

/** What a user asks for by variables; README of this folder lists them. */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): ProviderOptions {
  return {
    cache: cacheDir(homedir(), env.SLICE_CACHE),
    name: env.CLUSTER ?? 'demo',
    nodes: Number(env.NODES ?? 2),
    cpus: env.CPUS === undefined ? undefined : Number(env.CPUS),
    kubeconfig: env.KUBECONFIG,
    searched: [env.KUBEBUILDER_ASSETS ?? '', ...(env.PATH ?? '').split(delimiter)].filter((dir) => dir !== ''),
  };
}

export async function chooseProvider(options: ProviderOptions): Promise<Provider> {
  const { kubeconfig } = options;
  if (kubeconfig !== undefined && kubeconfig !== '') {
    const own = listClusters(options.cache).find((cluster) => adminKubeconfig(cluster) === resolve(kubeconfig));
    if (own !== undefined) return namespaceProvider({ ...options, name: own.name });
    if (!resolve(kubeconfig).startsWith(`${clustersDir(options.cache)}/`)) return givenProvider(kubeconfig);
  }
  const kind = (await succeeds(['kind', 'version'])) && (await succeeds(['docker', 'info']));
  return kind ? kindProvider(options) : namespaceProvider(options);
}

/** Somebody's cluster: nothing of it is brought up, taken down or loaded by us. */
function givenProvider(kubeconfig: string): Provider {
  if (!existsSync(kubeconfig)) throw new Error(`KUBECONFIG=${kubeconfig}: no such file`);
  return {
    name: 'given',
    kubeconfig: () => resolve(kubeconfig),
    up: async () => void (await run(['kubectl', 'version', '--kubeconfig', kubeconfig])),
    down: async () => console.error(`${kubeconfig} is not ours: left alone`),
    prepare: () => ensurePackages(['chart', 'prometheus']),
    load: () =>
      Promise.reject(
        new Error(
          'a given cluster pulls its images: docker build and push to a registry that it reaches, and install the chart with that image',
        ),
      ),
    status: () => run(['kubectl', 'get', 'nodes', '--kubeconfig', kubeconfig]),
  };
}

function namespaceProvider(options: ProviderOptions): Provider {
  const { cache, name } = options;
  const existing = (): Cluster => {
    const cluster = findCluster(cache, name);
    if (cluster === undefined)
      throw new Error(`there is no cluster ${name}: CLUSTER=${name} node test/cluster/main.ts up`);
    return cluster;
  };
  return {
    name: 'namespaces',
    kubeconfig: () => adminKubeconfig({ dir: clusterDir(cache, name) }),
    up: async () => void (await up(options)),
    prepare: async () => {
      await prepare(cache, options.searched);
      await ensurePackages(['chart', 'kernel', 'prometheus']);
      await buildImages(cache);
    },
    down: async (all) => {
      for (const cluster of listClusters(cache).filter((one) => all || one.name === name)) await down(cluster);
    },
    load: async () => {
      const cluster = existing();
      const images = await buildImages(cache);
      await loadIntoCluster(cluster, Object.values(images));
      return [images.product.name, images.workload.name];
    },
    status: async () => describe(existing()),
  };
}

async function describe(cluster: Cluster): Promise<string> {
  const rows = componentStates(cluster).map(
    ({ component, node, running }) =>
      `${(node ?? 'control').padEnd(10)}${component.padEnd(26)}${running ? 'running' : 'STOPPED'}`,
  );
  const columns =
    'custom-columns=NODE:.metadata.name,CPU:.status.allocatable.cpu,MEMORY:.status.allocatable.memory,READY:.status.conditions[-1].status';
  const nodes = await kubectl(cluster, ['get', 'nodes', '-o', columns]).catch((error: unknown) => String(error));
  return [...rows, '', nodes.trimEnd()].join('\n');
}
