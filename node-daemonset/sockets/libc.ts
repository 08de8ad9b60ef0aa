/** The few calls of libc that Node has no equal of. All of them return at once: none waits for anybody. */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const c = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, void *address, uint32_t length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  dup: libc.func('int fcntl(int fd, int command, ...)'),
  close: libc.func('int close(int fd)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  sendmsg: libc.func('long sendmsg(int fd, void *message, int flags)'),
  recvmsg: libc.func('long recvmsg(int fd, void *message, int flags)'),
  recv: libc.func('long recv(int fd, void *data, size_t length, int flags)'),
  nameOf: libc.func('void *if_indextoname(uint32_t index, void *name)'),
  recvmmsg: libc.func('int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)'),
};

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOL_SOCKET = 1;
const SOCK_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const SO_ATTACH_FILTER = 26;
const SO_LOCK_FILTER = 44;
const SO_COOKIE = 57;
const SCM_RIGHTS = 1;
const ETH_P_ALL = 3;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;

/** A call that failed, with its errno. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly errno: number;
  readonly code: string;

  constructor(call: string, errno: number) {
    super(`${call}: ${getSystemErrorMessage(-errno)}`);
    this.errno = errno;
    this.code = getSystemErrorName(-errno);
  }
}

function check(call: string, result: number | bigint): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return Number(result);
}

/** A descriptor that no child inherits. No call of ours waits; whoever it is passed to may. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return check('socket', c.socket(domain, type | SOCK_CLOEXEC, protocol));
}

export function bindSocket(fd: number, address: Buffer): void {
  check('bind', c.bind(fd, address, address.length));
}

/** `struct sockaddr_ll` of every protocol's packets on an interface, by its index; 0: on all. */
export function packetAddress(index: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(index, 4);
  return address;
}

export function listenSocket(fd: number, backlog: number): void {
  check('listen', c.listen(fd, backlog));
}

export function duplicate(fd: number): number {
  return check('dup', c.dup(fd, F_DUPFD_CLOEXEC, 'int', 0));
}

export function closeSocket(fd: number): void {
  c.close(fd);
}

export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check('setsockopt', c.setsockopt(fd, level, name, bytes, bytes.length));
}

/** So many bytes of an option's value. */
export function getOption(fd: number, level: number, name: number, size: number): Buffer {
  const value = Buffer.alloc(size);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  check('getsockopt', c.getsockopt(fd, level, name, value, length));
  return value;
}

/** The kernel's own name of a socket, as 16 hexadecimal digits: unique until the next boot. */
export function cookieOf(fd: number): string {
  return getOption(fd, SOL_SOCKET, SO_COOKIE, 8).readBigUInt64LE().toString(16);
}

/** Puts a classic BPF program on a socket for good: nobody who holds it can take it off again. */
export function lockFilter(fd: number, program: Buffer): void {
  const header = Buffer.alloc(16);
  header.writeUInt16LE(program.length / 8);
  header.writeBigUInt64LE(koffi.address(program), 8);
  check('SO_ATTACH_FILTER', c.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, header, header.length));
  setOption(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

/**
 * Sends bytes, and with them a descriptor, whole or not at all; false where the other side does not read and there is no
 * room. The descriptor stays open here.
 */
export function sendWith(fd: number, data: Buffer, passed: number | undefined): boolean {
  const control = Buffer.alloc(passed === undefined ? 0 : 24);
  if (passed !== undefined) {
    control.writeBigUInt64LE(20n, 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    control.writeInt32LE(passed, 16);
  }
  const sent = c.sendmsg(fd, messageHeader(data, control), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && koffi.errno() === EAGAIN) return false;
  return check('sendmsg', sent) === data.length;
}

/** `struct msghdr` over one buffer; both buffers must live as long as the call. */
function messageHeader(data: Buffer, control: Buffer): Buffer {
  const header = Buffer.alloc(56 + 16);
  header.writeBigUInt64LE(koffi.address(header) + 56n, 16);
  header.writeBigUInt64LE(1n, 24);
  if (control.length > 0) header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  header.writeBigUInt64LE(koffi.address(data), 56);
  header.writeBigUInt64LE(BigInt(data.length), 64);
  return header;
}

/** Reads one message into the buffer; its length, 0 where nothing has arrived. */
export function receive(fd: number, into: Buffer): number {
  const length = c.recv(fd, into, into.length, MSG_DONTWAIT) as number | bigint;
  return length < 0 && koffi.errno() === EAGAIN ? 0 : check('recv', length);
}

/** The name of an interface of this process's network namespace; undefined where it is gone. */
export function interfaceName(index: number): string | undefined {
  const name = Buffer.alloc(16);
  return c.nameOf(index, name) === null ? undefined : name.toString('latin1', 0, name.indexOf(0));
}

/** Throws away all that a socket has received so far. */
export function drain(fd: number): void {
  const nothing = messageHeader(Buffer.alloc(1), Buffer.alloc(0));
  for (let left = 10_000; left > 0 && c.recvmsg(fd, nothing, MSG_DONTWAIT) >= 0; left--);
}

/** One packet of a batch: views into the batch's own memory, valid until the next read. */
export interface Received {
  address: Buffer;
  control: Buffer;
  data: Buffer;
}

/** Memory for reading packets in batches, one call of the kernel each. */
export class Batch {
  static readonly #HEADER = 64;
  readonly #headers: Buffer;
  readonly #slots: Received[];
  readonly #vectors: Buffer;
  #used: number;

  constructor(count: number, dataSize: number, addressSize: number, controlSize: number) {
    this.#headers = Buffer.alloc(count * Batch.#HEADER);
    this.#vectors = Buffer.alloc(count * 16);
    this.#used = count;
    const part = (memory: Buffer, size: number, i: number): Buffer => memory.subarray(i * size, (i + 1) * size);
    const [data, addresses, controls] = [dataSize, addressSize, controlSize].map((size) => Buffer.alloc(count * size));
    this.#slots = Array.from({ length: count }, (_, i) => ({
      data: part(data!, dataSize, i),
      address: part(addresses!, addressSize, i),
      control: part(controls!, controlSize, i),
    }));
    for (const [i, slot] of this.#slots.entries()) {
      this.#vectors.writeBigUInt64LE(koffi.address(slot.data), i * 16);
      this.#vectors.writeBigUInt64LE(BigInt(dataSize), i * 16 + 8);
    }
  }

  /** What has arrived, at most the batch's size. */
  read(fd: number): Received[] {
    // the kernel writes into the headers that it uses, and into no others
    for (const [i, { address, control }] of this.#slots.slice(0, this.#used).entries()) {
      const at = i * Batch.#HEADER;
      this.#headers.writeBigUInt64LE(koffi.address(address), at);
      this.#headers.writeUInt32LE(address.length, at + 8);
      this.#headers.writeBigUInt64LE(koffi.address(this.#vectors) + BigInt(i * 16), at + 16);
      this.#headers.writeBigUInt64LE(1n, at + 24);
      this.#headers.writeBigUInt64LE(koffi.address(control), at + 32);
      this.#headers.writeBigUInt64LE(BigInt(control.length), at + 40);
    }
    const count = c.recvmmsg(fd, this.#headers, this.#slots.length, MSG_DONTWAIT, null) as number;
    this.#used = Math.max(0, count);
    if (count < 0 && koffi.errno() === EAGAIN) return [];
    return this.#slots.slice(0, check('recvmmsg', count)).map(({ data, address, control }, i) => {
      const at = i * Batch.#HEADER;
      const controlLength = Number(this.#headers.readBigUInt64LE(at + 40));
      const length = this.#headers.readUInt32LE(at + 56);
      return { data: data.subarray(0, length), address, control: control.subarray(0, controlLength) };
    });
  }
}
