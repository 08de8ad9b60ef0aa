/** Who is at the other end of a connection: the pod of the process that made it, as the kernel saw it then. */
import { readFileSync } from 'node:fs';
import { closeSocket, getOption, SOL_SOCKET, SystemError } from './libc.ts';

const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const ENOPROTOOPT = 92;

/**
 * The uid of the pod whose cgroup the process is in; undefined where it is in no pod's. A process that has ended since is
 * in none: another might have its pid by now, which the kernel tells apart from 6.5 on.
 */
export function podOfPeer(connection: number, option: typeof getOption = getOption): string | undefined {
  let pidfd: number | undefined;
  try {
    const pid = option(connection, SOL_SOCKET, SO_PEERCRED, 12).readInt32LE(0);
    if (pid <= 0) return undefined;
    pidfd = peerPidfd(connection, option);
    const pod = podOfCgroup(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    // Only now: a process that still lives had this pid when its cgroup was read.
    return pidfd !== undefined && !isStill(pid, pidfd) ? undefined : pod;
  } catch {
    // Whoever connected may make any of this fail, by ending: kernels from 6.5 on have no descriptor of him then.
    return undefined;
  } finally {
    if (pidfd !== undefined) closeSocket(pidfd);
  }
}

/** The pod that every hierarchy which names one names; undefined where none does or they differ (cgroups(7)). */
export function podOfCgroup(text: string): string | undefined {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    const path = line.split(':').slice(2).join(':');
    const name = /(?:^|[/-])pod([0-9A-Za-z]{8}(?:[-_][0-9A-Za-z]{4}){3}[-_][0-9A-Za-z]{12})(?:\.slice)?(?:\/|$)/.exec(
      path,
    );
    if (name) found.add(name[1]!.replaceAll('_', '-'));
  }
  return found.size === 1 ? [...found][0] : undefined;
}

/** undefined where the kernel knows of no such thing. */
function peerPidfd(connection: number, option: typeof getOption): number | undefined {
  try {
    return option(connection, SOL_SOCKET, SO_PEERPIDFD, 4).readInt32LE(0);
  } catch (error) {
    if (error instanceof SystemError && error.errno === ENOPROTOOPT) return undefined;
    throw error;
  }
}

function isStill(pid: number, pidfd: number): boolean {
  return new RegExp(`^Pid:\\s*${pid}$`, 'm').test(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8'));
}
