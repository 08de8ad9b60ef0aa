/** The BPF file system that holds our pins: what is pinned there goes on without us. */
import { mkdirSync, readFileSync } from 'node:fs';
import { run } from '../exec.ts';
import { KernelError } from './kernel.ts';

/** Whether a BPF file system is mounted just there, by the text of a mountinfo file. */
export function isBpffs(mountinfo: string, directory: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const [left, right] = line.split(' - ');
    return left?.split(' ')[4] === directory && right?.startsWith('bpf ') === true;
  });
}

/**
 * Mounts one at the directory where there is none. The directory must be shared with the node's mount namespace, or the
 * pins go with this process's pod.
 */
export async function mountBpffs(directory: string, mountinfo = '/proc/self/mountinfo'): Promise<void> {
  if (isBpffs(readFileSync(mountinfo, 'utf8'), directory)) return;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await run(['mount', '-t', 'bpf', '-o', 'mode=0700', 'bpf', directory]);
  } catch (error) {
    throw new KernelError(`no BPF file system could be mounted at ${directory}: ${(error as Error).message}`);
  }
}

/** Takes it away, with every pin that is left in it: for when the node manager is uninstalled. */
export async function unmountBpffs(directory: string): Promise<void> {
  await run(['umount', directory]);
}
