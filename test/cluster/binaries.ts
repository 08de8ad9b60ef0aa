/** Where Kubernetes' programs come from: the machine if it has a complete set, else our own build. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { buildKubernetes } from './source.ts';

export const KUBERNETES_PROGRAMS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

export interface Binaries {
  dir: string;
  /** 20 for Kubernetes 1.20. */
  minor: number;
}

/** Pure: `Kubernetes v1.20.2` is 20. */
export function parseMinor(version: string): number {
  const minor = /v1\.(\d+)/.exec(version)?.[1];
  if (minor === undefined) throw new Error(`no version of Kubernetes: ${version}`);
  return Number(minor);
}

const missingIn = (dir: string): string[] => KUBERNETES_PROGRAMS.filter((program) => !existsSync(join(dir, program)));

const buildDir = (cache: string): string => join(cache, 'cluster');

/**
 * A directory with all the programs. Only complete sets count: a kubelet and an API server of different origins may be further
 * apart than Kubernetes supports.
 * @param searched directories that the user named, in order: KUBEBUILDER_ASSETS, then PATH's
 */
export async function ensureBinaries(cache: string, searched: readonly string[]): Promise<Binaries> {
  const own = buildDir(cache);
  let dir = searched.find((one) => missingIn(one).length === 0);
  if (dir === undefined) {
    dir = join(own, 'bin');
    const missing = missingIn(dir);
    if (missing.length > 0) await buildKubernetes(own, missing);
  }
  return { dir, minor: parseMinor(await run([join(dir, 'kube-apiserver'), '--version'])) };
}
