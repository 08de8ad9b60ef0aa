/** OCI images put together by hand: no registry, no Docker. A directory of blobs by digest, and a small index for each image. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from './command.ts';

export interface Blob {
  /** `sha256:...` */
  digest: string;
  /** Bytes. */
  size: number;
}

export interface ImageConfig {
  user?: string;
  workingDir?: string;
  entrypoint?: string[];
  cmd?: string[];
}

export interface Image {
  /** What a pod names: `registry.local/NAME:TAG`, the tag made of the content. */
  name: string;
  /** Manifest, configuration and layers. */
  blobs: Blob[];
  /** index.json of an OCI layout with this image alone. */
  index: string;
  /** manifest.json of `docker save`, so that `docker load` takes the archive too. */
  dockerManifest: string;
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
export const blobPath = (digest: string): string => `blobs/sha256/${digest.replace('sha256:', '')}`;

function describe(text: string): Blob & { text: string } {
  return { digest: `sha256:${sha256(text)}`, size: Buffer.byteLength(text), text };
}

/** Pure: the documents of an image with these layers. The tag is the beginning of the manifest's digest unless given. */
export function describeImage(
  repository: string,
  layers: readonly Blob[],
  config: ImageConfig,
  architecture: string,
  tag?: string,
): Image & { documents: { digest: string; text: string }[] } {
  const configuration = describe(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: {
        Env: [PATH],
        User: config.user,
        WorkingDir: config.workingDir,
        Entrypoint: config.entrypoint,
        Cmd: config.cmd,
      },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }, // not compressed, so both digests are one
    }),
  );
  const manifest = describe(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: configuration.digest,
        size: configuration.size,
      },
      layers: layers.map(({ digest, size }) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size })),
    }),
  );
  const ownTag = tag ?? manifest.digest.slice(7, 19);
  const name = `${repository}:${ownTag}`;
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': ownTag };
  const { digest, size } = manifest;
  return {
    name,
    blobs: [{ digest, size }, { digest: configuration.digest, size: configuration.size }, ...layers],
    index: JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size, annotations }],
    }),
    dockerManifest: JSON.stringify([
      {
        Config: blobPath(configuration.digest),
        RepoTags: [name],
        Layers: layers.map((layer) => blobPath(layer.digest)),
      },
    ]),
    documents: [configuration, manifest],
  };
}

export const architecture = (): string => ARCHITECTURES[process.arch] ?? process.arch;

/** Writes the image's documents into the store, where its layers are already. */
export function storeImage(
  store: string,
  repository: string,
  layers: readonly Blob[],
  config: ImageConfig,
  tag?: string,
): Image {
  const { documents, ...image } = describeImage(repository, layers, config, architecture(), tag);
  for (const { digest, text } of documents) writeFileSync(join(store, blobPath(digest)), text);
  return image;
}

/**
 * A layer of the files that `tar` is told to pack (arguments of tar(1)); the same files give the same bytes. With a key, the
 * layer of the last time is taken without packing anything.
 */
export async function storeLayer(store: string, tarArguments: readonly string[], key?: string): Promise<Blob> {
  mkdirSync(join(store, 'blobs/sha256'), { recursive: true });
  mkdirSync(join(store, 'keys'), { recursive: true });
  const known = join(store, 'keys', key ?? '');
  if (key !== undefined && existsSync(known)) return JSON.parse(readFileSync(known, 'utf8')) as Blob;
  const partial = join(store, `layer-${process.pid}-${sha256(tarArguments.join(' ')).slice(0, 8)}`);
  const reproducible = ['--sort=name', '--mtime=@0', '--numeric-owner', '--owner=0', '--group=0', '--mode=a+rX'];
  await run(['tar', ...reproducible, '-cf', partial, ...tarArguments], { timeoutMs: 300_000 });
  const hash = createHash('sha256');
  await pipeline(createReadStream(partial), hash);
  const blob = { digest: `sha256:${hash.digest('hex')}`, size: statSync(partial).size };
  renameSync(partial, join(store, blobPath(blob.digest)));
  if (key !== undefined) writeFileSync(known, JSON.stringify(blob));
  return blob;
}

/** An archive of an image for `ctr images import`, `docker load` and `kind load image-archive`, without the blobs left out. */
export async function writeArchive(
  store: string,
  image: Image,
  file: string,
  leaveOut: ReadonlySet<string> = new Set(),
): Promise<void> {
  const documents = `${file}.documents`;
  mkdirSync(documents, { recursive: true });
  writeFileSync(join(documents, 'index.json'), image.index);
  writeFileSync(join(documents, 'manifest.json'), image.dockerManifest);
  writeFileSync(join(documents, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const blobs = image.blobs.filter(({ digest }) => !leaveOut.has(digest)).map(({ digest }) => blobPath(digest));
  await run(['tar', '-cf', file, '-C', documents, 'oci-layout', 'index.json', 'manifest.json', '-C', store, ...blobs], {
    timeoutMs: 300_000,
  });
  await run(['rm', '-rf', documents]);
}
