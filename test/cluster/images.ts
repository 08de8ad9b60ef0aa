/** The images that the cluster runs: the product with its two entry points, a workload for examples and tests, and pause. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { PAUSE_IMAGE } from './nodefiles.ts';
import { storeImage, storeLayer, type Blob, type Image, type ImageConfig } from './oci.ts';
import { say } from './progress.ts';
import {
  emptyDirectory,
  findLibrary,
  findProgram,
  fingerprint,
  stageFile,
  stagePrograms,
  stageSkeleton,
} from './rootfs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAMS = fileURLToPath(new URL('programs', import.meta.url));

/** What the product consists of, besides Node and its packages. */
export const SOURCES = ['package.json', 'tsconfig.json', 'crds', 'kube', 'operator', 'node-daemonset'];
/** What the node manager starts; keep in step with the Dockerfile's packages. */
export const NODE_MANAGER_PROGRAMS = [
  'tc',
  'nft',
  'iptables-nft-save',
  'ip6tables-nft-save',
  'conntrack',
  'ip',
  'ss',
  'bridge',
  'lsns',
  'mount',
  'umount',
  'nsenter',
  'prlimit',
  'ping',
  'traceroute',
];
/** What `slice-node` is in the node manager's container. */
export const OWNERS_COMMAND = '/app/node-daemonset/owner/main.ts';
/** What it loads to put programs into the kernel, by the name by which it asks. */
const BPF_LIBRARY = 'libbpf.so.1';
const WORKLOAD_PROGRAMS =
  'bash sh sleep cat echo env id ls mkdir rm cp touch head tail wc date dd seq sed grep awk ps kill nproc timeout unshare true false stat sync iperf3 ip ss nsenter ping traceroute tcpdump'.split(
    ' ',
  );

const PRODUCT_REPOSITORY = 'registry.local/slice-operator';
export const PRODUCT_CONFIG: ImageConfig = {
  user: '65532:65532',
  workingDir: '/app',
  entrypoint: ['node'],
  cmd: ['operator/main.ts'],
};

export interface Images {
  product: Image;
  workload: Image;
  pause: Image;
}

export const imageStore = (cache: string): string => join(cache, 'images');

/** The Node that the harness runs on is the one that the product is tested with. */
const nodeProgram = (): string => process.execPath;

async function layerOf(store: string, name: string, key: string, fill: (root: string) => Promise<void>): Promise<Blob> {
  if (existsSync(join(store, 'keys', key))) return storeLayer(store, [], key);
  const root = emptyDirectory(join(store, `staging-${name}-${process.pid}`));
  await fill(root);
  const layer = await storeLayer(store, ['-C', root, '.'], key);
  rmSync(root, { recursive: true, force: true });
  say(`image layer ${name} packed, ${(layer.size / 1e6).toFixed(1)} MB`);
  return layer;
}

/** Skeleton and Node: the bottom of both images, stored once. */
const baseLayer = (store: string): Promise<Blob> =>
  layerOf(store, 'base', fingerprint([nodeProgram()], 'base-1'), async (root) => {
    stageSkeleton(root);
    await run(['chmod', '1777', join(root, 'tmp')]);
    await stageFile(root, nodeProgram(), '/usr/local/bin/node');
  });

const nodeManagerLayer = (store: string): Promise<Blob> =>
  layerOf(
    store,
    'node-manager',
    fingerprint([...NODE_MANAGER_PROGRAMS.map(findProgram), findLibrary(BPF_LIBRARY)], 'node-manager-4'),
    async (root) => {
      await stagePrograms(root, NODE_MANAGER_PROGRAMS);
      await stageFile(root, findLibrary(BPF_LIBRARY), findLibrary(BPF_LIBRARY));
      mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
      symlinkSync(OWNERS_COMMAND, join(root, 'usr/local/bin/slice-node'));
      for (const plugins of globSync('/usr/lib/{tc,*/tc,*/xtables}')) await stageFile(root, plugins, plugins);
    },
  );

/** Every C file of ours, linked statically. */
async function compile(cache: string): Promise<string[]> {
  const sources = globSync(join(PROGRAMS, '*.c'));
  return Promise.all(
    sources.map(async (source) => {
      const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
      const name = basename(source, '.c');
      const program = join(cache, 'programs', digest, name);
      if (!existsSync(program)) {
        mkdirSync(join(cache, 'programs', digest), { recursive: true });
        await run(['gcc', '-static', '-O2', '-Wall', '-o', `${program}.partial`, source]);
        renameSync(`${program}.partial`, program);
      }
      return program;
    }),
  );
}

/** node_modules without what only development needs; install scripts are never run. */
async function packagesLayer(store: string): Promise<Blob> {
  const key = `packages-2-${createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
    .slice(0, 32)}`;
  return layerOf(store, 'packages', key, async (root) => {
    mkdirSync(join(root, 'app'));
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(ROOT, file), join(root, 'app', file));
    const install = ['npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await run(install, { cwd: join(root, 'app'), timeoutMs: 300_000 });
    for (const file of ['package.json', 'package-lock.json']) rmSync(join(root, 'app', file));
    await run(['find', root, '(', '-name', '*.d.ts', '-o', '-name', '*.map', ')', '-delete']); // half of all files, never read
  });
}

/** Builds what changed: a second or two after an edit, some ten from nothing. */
export async function buildImages(cache: string): Promise<Images> {
  const store = imageStore(cache);
  mkdirSync(store, { recursive: true });
  await run(['make', '--no-print-directory', '-C', ROOT, 'programs'], { timeoutMs: 120_000 });
  const programs = await compile(cache);
  const [base, packages, nodeManager] = await Promise.all([
    baseLayer(store),
    packagesLayer(store),
    nodeManagerLayer(store),
  ]);
  const present = SOURCES.filter((path) => existsSync(join(ROOT, path)));
  const sources = await storeLayer(store, ['--transform=s,^,app/,', '-C', ROOT, ...present]);
  const pauseProgram = programs.find((program) => basename(program) === 'pause')!;
  const pause = await storeLayer(store, ['-C', join(pauseProgram, '..'), 'pause'], fingerprint([pauseProgram]));
  const workloadKey = fingerprint([...WORKLOAD_PROGRAMS.map(findProgram), ...programs], 'workload-1');
  const workload = await layerOf(store, 'workload', workloadKey, async (root) => {
    await stagePrograms(root, WORKLOAD_PROGRAMS);
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    for (const program of programs) {
      copyFileSync(program, join(root, 'usr/local/bin', basename(program)));
      chmodSync(join(root, 'usr/local/bin', basename(program)), 0o755);
    }
  });
  return {
    product: storeImage(store, PRODUCT_REPOSITORY, [base, nodeManager, packages, sources], PRODUCT_CONFIG),
    workload: storeImage(store, 'registry.local/workload', [base, workload], { cmd: ['sleep', 'infinity'] }),
    pause: storeImage(
      store,
      PAUSE_IMAGE.split(':')[0]!,
      [pause],
      { entrypoint: ['/pause'] },
      PAUSE_IMAGE.split(':')[1],
    ),
  };
}
