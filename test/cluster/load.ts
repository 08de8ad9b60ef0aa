/** Gets images into nodes without a registry: an archive for each node with just the blobs that it does not have. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDir, type Cluster } from './config.ts';
import { imageStore } from './images.ts';
import { runInNode } from './node.ts';
import { writeArchive, type Image } from './oci.ts';

/** What the node was given so far; on its disk, because its containerd's store is there too. */
function readLoaded(file: string): { names: string[]; digests: string[] } {
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { names: string[]; digests: string[] })
    : { names: [], digests: [] };
}

/** Imports the images that the node does not have yet; its containerd must run. */
export async function loadImages(cluster: Cluster, node: string, images: readonly Image[]): Promise<void> {
  const file = join(nodeDir(cluster, node), 'images.json');
  const loaded = readLoaded(file);
  for (const image of images.filter(({ name }) => !loaded.names.includes(name))) {
    const archive = join(nodeDir(cluster, node), `archive-${process.pid}.tar`);
    mkdirSync(nodeDir(cluster, node), { recursive: true });
    await writeArchive(imageStore(cluster.cache), image, archive, new Set(loaded.digests));
    await runInNode(cluster, node, [
      'ctr',
      '--namespace=k8s.io',
      'images',
      'import',
      '--snapshotter=overlayfs',
      archive,
    ]);
    rmSync(archive);
    loaded.names.push(image.name);
    loaded.digests.push(
      ...image.blobs.map(({ digest }) => digest).filter((digest) => !loaded.digests.includes(digest)),
    );
    writeFileSync(file, JSON.stringify(loaded));
  }
}
