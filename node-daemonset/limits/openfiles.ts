/**
 * How many files each process of a sliver may have open. No cgroup counts descriptors: it is RLIMIT_NOFILE of each process,
 * inherited by what it starts; what `kubectl exec` starts is found by the next pass. Without CAP_SYS_RESOURCE nobody raises it.
 */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const prlimit = libc.func('int prlimit64(int pid, int resource, void *wanted, void *known)');
const RLIMIT_NOFILE = 7;
const INFINITE = 2n ** 64n - 1n;
const ESRCH = 3;

export interface OpenFiles {
  soft: number;
  hard: number;
}

/** What a process should have where it has something else; undefined: all is well. What it chose itself below that stays. */
export function planOpenFiles(has: OpenFiles, granted: number): OpenFiles | undefined {
  return has.hard === granted ? undefined : { soft: Math.min(has.soft, granted), hard: granted };
}

/** Infinity is none; undefined: there is no such process any more. Throws with the errno's number where it can't be read. */
export function readOpenFiles(pid: number): OpenFiles | undefined {
  const known = Buffer.alloc(16);
  if (!call(pid, null, known)) return undefined;
  const [soft, hard] = [known.readBigUInt64LE(0), known.readBigUInt64LE(8)];
  return { soft: finite(soft), hard: finite(hard) };
}

/** False: there is no such process any more. Throws with the errno's number, as where it is more than fs.nr_open. */
export function writeOpenFiles(pid: number, { soft, hard }: OpenFiles): boolean {
  const wanted = Buffer.alloc(16);
  wanted.writeBigUInt64LE(BigInt(soft), 0);
  wanted.writeBigUInt64LE(BigInt(hard), 8);
  return call(pid, wanted, null);
}

function call(pid: number, wanted: Buffer | null, known: Buffer | null): boolean {
  // so the kernel shows one that is not in our PID namespace, and would take it for ourselves
  if (pid === 0) return false;
  if (prlimit(pid, RLIMIT_NOFILE, wanted, known) === 0) return true;
  const errno = koffi.errno();
  if (errno === ESRCH) return false;
  throw new Error(`RLIMIT_NOFILE of process ${pid}: errno ${errno}`);
}

function finite(limit: bigint): number {
  return limit === INFINITE ? Infinity : Number(limit);
}
