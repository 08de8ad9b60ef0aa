/** Which network namespace this is, in the words of the programs. */
import koffi from 'koffi';
import { check, lastErrno } from './libbpf.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/** The cookie of this process's network namespace: given once, and to no other while the machine runs. */
export function netnsCookie(): bigint {
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']) as (...args: number[]) => number;
  const close = libc.func('close', 'int', ['int']) as (fd: number) => number;
  const signature = ['int', 'int', 'int', 'void*', 'void*'];
  const getsockopt = libc.func('getsockopt', 'int', signature) as (...args: (number | Buffer)[]) => number;
  const failed = (result: number): number => (result < 0 ? -lastErrno() : result);
  const fd = check(failed(socket(AF_INET, SOCK_DGRAM, 0)), 'no socket could be made');
  try {
    const cookie = Buffer.alloc(8);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(cookie.length);
    const result = failed(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, length));
    check(result, "the network namespace's cookie could not be read (Linux 5.14 or later is needed)");
    return cookie.readBigUInt64LE();
  } finally {
    close(fd);
  }
}

/** The index of an interface of this process's network namespace; 0: there is none of that name. */
export function interfaceIndex(name: string): number {
  const libc = koffi.load('libc.so.6');
  return (libc.func('if_nametoindex', 'uint32', ['str']) as (of: string) => number)(name);
}
