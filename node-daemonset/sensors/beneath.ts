/** Opens a file below a directory so that nothing on the way leads elsewhere: openat2(2), which Node does not have. */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { SystemError } from '../sockets/libc.ts';

/** The same on every architecture. */
const SYS_OPENAT2 = 437;
const O_NONBLOCK = 0o4000;
const O_NOCTTY = 0o400;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

type Syscall = (...args: (number | string | Buffer)[]) => number;
let syscall: Syscall | undefined;

/**
 * A descriptor to read `path` below `root`: no `..` out of it, no symbolic or magic link on the way or at the end, no other
 * file system mounted within. Never waits, as a FIFO would make one. Throws SystemError: ENOENT, ELOOP for a link, EXDEV.
 */
export function openBeneath(root: string, path: string): number {
  syscall ??= koffi.load('libc.so.6').func('long syscall(long number, ...)') as unknown as Syscall;
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(O_NONBLOCK | O_NOCTTY | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV), 16);
  const directory = openSync(root, 'r');
  try {
    const fd = syscall(SYS_OPENAT2, 'int', directory, 'str', path, 'void *', how, 'size_t', how.length);
    if (fd < 0) throw new SystemError(`${root}/${path}`, koffi.errno());
    return fd;
  } finally {
    closeSync(directory);
  }
}
