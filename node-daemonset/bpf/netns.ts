/** This process's network namespace in the words of the programs: its cookie, and its interfaces by their index. */
import koffi from 'koffi';
import { check, lastErrno } from './libbpf.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

interface Libc {
  socket(family: number, type: number, protocol: number): number;
  close(fd: number): number;
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number;
  if_nametoindex(name: string): number;
}

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded) return loaded;
  const library = koffi.load('libc.so.6');
  return (loaded = {
    socket: library.func('socket', 'int', ['int', 'int', 'int']) as Libc['socket'],
    close: library.func('close', 'int', ['int']) as Libc['close'],
    getsockopt: library.func('getsockopt', 'int', ['int', 'int', 'int', 'void*', 'void*']) as Libc['getsockopt'],
    if_nametoindex: library.func('if_nametoindex', 'uint32', ['str']) as Libc['if_nametoindex'],
  });
}

/** The cookie of this process's network namespace: given once, and to no other while the machine runs. */
export function netnsCookie(): bigint {
  const failed = (result: number): number => (result < 0 ? -lastErrno() : result);
  const fd = check(failed(libc().socket(AF_INET, SOCK_DGRAM, 0)), 'no socket could be made');
  try {
    const cookie = Buffer.alloc(8);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(cookie.length);
    const result = failed(libc().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, length));
    check(result, "the network namespace's cookie could not be read (Linux 5.14 or later is needed)");
    return cookie.readBigUInt64LE();
  } finally {
    libc().close(fd);
  }
}

/** The index of an interface of this process's network namespace; 0: there is none of that name. */
export function interfaceIndex(name: string): number {
  return libc().if_nametoindex(name);
}
