/** A cluster by kind, where Docker runs. Images are built by Docker from the repository's Dockerfile. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { checkClusterName, prefix } from './config.ts';
import { buildImages, imageStore } from './images.ts';
import { writeArchive } from './oci.ts';
import { ensurePackages } from './packages.ts';
import type { Provider, ProviderOptions } from './providers.ts';
import { step } from './progress.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LONG_MS = 900_000;

/** Pure: kind's description of a cluster with so many workers. */
export const kindConfig = (nodes: number): string =>
  JSON.stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    nodes: [{ role: 'control-plane' }, ...Array.from({ length: nodes }, () => ({ role: 'worker' }))],
  });

export function kindProvider({ cache, name, nodes }: ProviderOptions): Provider {
  checkClusterName(name);
  const cluster = prefix(name);
  const dir = join(cache, 'kind');
  const kubeconfig = join(dir, `${name}.kubeconfig`);
  const listed = async (): Promise<string[]> =>
    (await run(['kind', 'get', 'clusters']))
      .trim()
      .split('\n')
      .filter((one) => one.startsWith(prefix('')));
  return {
    name: 'kind',
    kubeconfig: () => kubeconfig,
    prepare: () => ensurePackages(['images', 'chart', 'prometheus']),
    up: async () => {
      mkdirSync(dir, { recursive: true });
      if ((await listed()).includes(cluster)) return;
      const create = [
        'kind',
        'create',
        'cluster',
        '--name',
        cluster,
        '--kubeconfig',
        kubeconfig,
        '--config',
        '-',
        '--wait',
        '120s',
      ];
      await step(`kind cluster ${cluster}`, () => run(create, { input: kindConfig(nodes), timeoutMs: LONG_MS }));
    },
    down: async (all) => {
      for (const one of (await listed()).filter((one) => all || one === cluster)) {
        await step(`kind cluster ${one} deleted`, () =>
          run(['kind', 'delete', 'cluster', '--name', one, '--kubeconfig', kubeconfig], { timeoutMs: LONG_MS }),
        );
      }
      if (all || readdirSync(dir).length === 1) rmSync(dir, { recursive: true, force: true });
    },
    load: async () => {
      const id = (
        await step('docker build', () => run(['docker', 'build', '--quiet', ROOT], { timeoutMs: LONG_MS }))
      ).trim();
      const product = `registry.local/slice-operator:${createHash('sha256').update(id).digest('hex').slice(0, 12)}`;
      await run(['docker', 'tag', id, product]);
      await run(['kind', 'load', 'docker-image', product, '--name', cluster], { timeoutMs: LONG_MS });
      const { workload } = await buildImages(cache);
      const archive = join(dir, 'workload.tar');
      await writeArchive(imageStore(cache), workload, archive);
      await run(['kind', 'load', 'image-archive', archive, '--name', cluster], { timeoutMs: LONG_MS });
      rmSync(archive);
      return [product, workload.name];
    },
    status: () => run(['kubectl', 'get', 'nodes', '-o', 'wide', '--kubeconfig', kubeconfig]),
  };
}
