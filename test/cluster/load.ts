/** Gets images into nodes without a registry: an archive for each node with just the blobs that it does not have. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDir, type Cluster } from './config.ts';
import { imageStore } from './images.ts';
import { nodeInit, nodeNames, runInNode } from './node.ts';
import { writeArchive, type Image } from './oci.ts';

/** What a node was given so far; on its disk, because its containerd's store is there too. */
interface Loaded {
  names: string[];
  digests: string[];
}

function readJson<T>(file: string, absent: T): T {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : absent;
}

const clusterFile = (cluster: Cluster): string => join(cluster.dir, 'images.json');

/** Every image that the cluster was ever given: a node that joins later gets them too, for its pods may name any of them. */
export const imagesOf = (cluster: Cluster): Image[] => readJson<Image[]>(clusterFile(cluster), []);

export function rememberImages(cluster: Cluster, images: readonly Image[]): void {
  const known = imagesOf(cluster);
  const added = images.filter(({ name }) => !known.some((one) => one.name === name));
  writeFileSync(clusterFile(cluster), JSON.stringify([...known, ...added]));
}

/** Imports the images that the node does not have yet; its containerd must run. */
export async function loadImages(cluster: Cluster, node: string, images: readonly Image[]): Promise<void> {
  const file = join(nodeDir(cluster, node), 'images.json');
  const loaded = readJson<Loaded>(file, { names: [], digests: [] });
  for (const image of images.filter(({ name }) => !loaded.names.includes(name))) {
    const archive = join(nodeDir(cluster, node), `archive-${process.pid}.tar`);
    await writeArchive(imageStore(cluster.cache), image, archive, new Set(loaded.digests));
    await runInNode(cluster, node, ['ctr', '-n', 'k8s.io', 'images', 'import', '--snapshotter=overlayfs', archive]);
    rmSync(archive);
    loaded.names.push(image.name);
    loaded.digests = [...new Set([...loaded.digests, ...image.blobs.map(({ digest }) => digest)])];
    writeFileSync(file, JSON.stringify(loaded));
  }
}

/** Imports images into every node that is on, and into those to come. */
export async function loadIntoCluster(cluster: Cluster, images: readonly Image[]): Promise<void> {
  rememberImages(cluster, images);
  const nodes = nodeNames(cluster).filter((node) => nodeInit(cluster, node) !== undefined);
  await Promise.all(nodes.map((node) => loadImages(cluster, node, images)));
}
