/** The clusters of this machine: their descriptions on disk, and who has which index. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { networkInterfaces } from 'node:os';
import {
  checkClusterName,
  clusterDir,
  clustersDir,
  controlNamespace,
  hostAddress,
  MAX_CLUSTERS,
  type Cluster,
} from './config.ts';
import { namespacePath } from './network.ts';

const indexFile = (cache: string, index: number): string => join(clustersDir(cache), `.index-${index}`);

/** The cluster of that name if it was brought up, wholly or in part. */
export function findCluster(cache: string, name: string): Cluster | undefined {
  checkClusterName(name);
  const file = join(clusterDir(cache, name), 'cluster.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Cluster) : undefined;
}

export function listClusters(cache: string): Cluster[] {
  if (!existsSync(clustersDir(cache))) return [];
  const names = readdirSync(clustersDir(cache)).filter((name) => !name.startsWith('.'));
  return names.map((name) => findCluster(cache, name)).filter((cluster) => cluster !== undefined);
}

function readHolder(cache: string, index: number): string | undefined {
  return existsSync(indexFile(cache, index)) ? readFileSync(indexFile(cache, index), 'utf8') : undefined;
}

/**
 * Takes the lowest index that nobody has; creating the file is what makes it ours, also beside another `up`. The cluster's
 * directory must be there already: an index without one was left behind by a crash.
 */
function claimIndex(cache: string, name: string): number {
  const addresses = Object.values(networkInterfaces()).flatMap((link) => link?.map(({ address }) => address) ?? []);
  for (let index = 0; index < MAX_CLUSTERS; index++) {
    if (addresses.includes(hostAddress(index))) continue; // somebody's own network, or a cluster with another cache
    const holder = readHolder(cache, index);
    if (holder !== undefined && !existsSync(clusterDir(cache, holder)))
      rmSync(indexFile(cache, index), { force: true });
    try {
      writeFileSync(indexFile(cache, index), name, { flag: 'wx' });
      return index;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  throw new Error(`there are ${MAX_CLUSTERS} clusters already: take one down`);
}

/** Records a new cluster; from here on `down` finds everything of it. */
export function createCluster(
  cache: string,
  name: string,
  settings: Pick<Cluster, 'cpus' | 'cpusPerNode' | 'binaries' | 'minor'>,
): Cluster {
  checkClusterName(name);
  const namespace = controlNamespace(name);
  if (existsSync(namespacePath(namespace))) {
    throw new Error(`network namespace ${namespace} exists: a cluster ${name} is up already, with another SLICE_CACHE`);
  }
  mkdirSync(clusterDir(cache, name), { recursive: true });
  const cluster: Cluster = { name, index: claimIndex(cache, name), ...settings, dir: clusterDir(cache, name), cache };
  writeFileSync(join(cluster.dir, 'cluster.json'), JSON.stringify(cluster, null, 2));
  return cluster;
}

/** Forgets a cluster of which nothing runs any more. */
export function forgetCluster(cluster: Cluster): void {
  rmSync(cluster.dir, { recursive: true, force: true });
  rmSync(indexFile(cluster.cache, cluster.index), { force: true });
}
