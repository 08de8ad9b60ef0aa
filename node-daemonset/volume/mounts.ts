/** Read-only bind mounts: how a sliver's directory gets into its pod. */
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { run } from '../exec.ts';

/** What the volume service does to the mount table; tests put a table of their own here. */
export interface Mounts {
  /** Shows a directory at the target, read-only; the target is made. A target that shows it already is left alone. */
  bind(source: string, target: string): Promise<void>;
  /** Takes away whatever is mounted at the target, and the target. */
  unbind(target: string): Promise<void>;
}

/** A target may have been mounted on more than once, by a kubelet that lost count. */
const MAX_LAYERS = 16;
/** exec, wherever it comes from: a sliver runs the tools in it. All of it is written by root alone. */
export const READ_ONLY = 'remount,bind,ro,nosuid,nodev,exec';

/** Mounts in this process's mount namespace, whose kubelet directory must be shared with the host's. */
export function kernelMounts(mountinfo = '/proc/self/mountinfo'): Mounts {
  const layers = async (target: string): Promise<string[]> => optionsOf(await readFile(mountinfo, 'utf8'), target);
  return {
    async bind(source, target) {
      await mkdir(target, { recursive: true, mode: 0o750 });
      if ((await layers(target)).length === 0) await run(['mount', '--bind', '--', source, target]);
      // Two steps in the kernel: whoever comes after a crash between them finds it writable.
      const top = (await layers(target)).at(-1);
      if (top === undefined) throw new Error(`${target} is not in ${mountinfo} after it was mounted`);
      if (!top.split(',').includes('ro')) await run(['mount', '-o', READ_ONLY, '--', target]);
    },
    async unbind(target) {
      for (let layer = 0; layer < MAX_LAYERS && (await layers(target)).length > 0; layer++)
        await run(['umount', '--', target]);
      try {
        await rmdir(target);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    },
  };
}

/** The options of every mount at a path, the topmost last. Paths with spaces are escaped there, and never ours. */
export function optionsOf(mountinfo: string, target: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[4] === target)
    .map((fields) => fields[5] ?? '');
}
