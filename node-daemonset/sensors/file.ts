/** File sensors: what the kernel tells everybody on the node below /proc and /sys, and nothing else of the node's. */
import { closeSync, fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { openBeneath } from './beneath.ts';
import { SourceError } from './source.ts';
import { textOf } from './text.ts';

/** What may be read; with a slash at its end, all below. Whatever else the kernel will invent is not in it. */
const ALLOWED: readonly string[] = [
  ...['buddyinfo', 'cpuinfo', 'diskstats', 'interrupts', 'loadavg', 'meminfo', 'partitions', 'pressure/'],
  ...['schedstat', 'slabinfo', 'softirqs', 'stat', 'swaps', 'sys/fs/', 'sys/kernel/', 'sys/net/', 'sys/vm/'],
  ...['uptime', 'version', 'vmstat', 'zoneinfo'],
].map((name) => `/proc/${name}`);
const ALLOWED_SYS: readonly string[] = ['/sys/devices/', '/sys/fs/', '/sys/kernel/mm/'];

const MAX_BYTES = 2 ** 20;
const READABLE_BY_ALL = 0o004;
const readAt = promisify(read);

/** Why a path is no file sensor's; undefined where it may be one. Pure; the kernel judges again when it is opened. */
export function whyNotAllowed(path: string): string | undefined {
  if (path.split('/').some((part) => part === '..' || part === '.')) return `${path} goes up`;
  if (/^\/proc\/(\d+|self|thread-self|net|mounts)(\/|$)/.test(path)) return `${path} is a process's own`;
  const allowed = [...ALLOWED, ...ALLOWED_SYS].some((one) => (one.endsWith('/') ? path.startsWith(one) : path === one));
  return allowed ? undefined : `${path} is not among what may be read: ${[...ALLOWED, ...ALLOWED_SYS].join(' ')}`;
}

/** The file's text. Rejects with SourceError. */
export async function readFileSensor(path: string, signal: AbortSignal): Promise<string> {
  const why = whyNotAllowed(path);
  if (why !== undefined) throw new SourceError('FileNotAllowed', why);
  const [, root = '', ...rest] = path.split('/');
  let fd: number;
  try {
    fd = openBeneath(`/${root}`, rest.join('/'));
  } catch (error) {
    throw new SourceError(
      'Unreachable',
      `${path} can't be opened without following a link: ${(error as Error).message}`,
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new SourceError('FileNotAllowed', `${path} is no file`);
    if (!(stat.mode & READABLE_BY_ALL)) {
      throw new SourceError('FileNotAllowed', `${path} is not for everybody on the node to read`);
    }
    return textOf(await readAll(fd, path, signal));
  } finally {
    closeSync(fd);
  }
}

async function readAll(fd: number, path: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let size = 0; ;) {
    signal.throwIfAborted();
    const chunk = Buffer.alloc(65_536);
    // the kernel's files have no size, and some only one position
    const { bytesRead } = await readAt(fd, chunk, 0, chunk.length, null).catch((error: Error) => {
      throw new SourceError('Unreachable', `${path} can't be read: ${error.message}`);
    });
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > MAX_BYTES) throw new SourceError('TooLarge', `${path} has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk.subarray(0, bytesRead));
  }
}
