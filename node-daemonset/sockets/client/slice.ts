/**
 * Raw sockets and sniffers for a program in Node without any capability, over the sliver's socket. For use in a sliver: it
 * needs koffi, and nothing else of ours.
 */
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import type Koffi from 'koffi';

// the program's own koffi: nothing is installed beside this file, and a sliver can't write there
const koffi = createRequire(process.argv[1] ?? `${process.cwd()}/`)('koffi') as typeof Koffi;

const libc = koffi.load('libc.so.6');
const c = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  connect: libc.func('int connect(int fd, void *address, uint32_t length)'),
  send: libc.func('long send(int fd, void *data, ulong size, int flags)'),
  sendto: libc.func('long sendto(int fd, void *data, ulong size, int flags, void *address, uint32_t length)'),
  recv: libc.func('long recv(int fd, void *data, ulong size, int flags)'),
  recvmsg: libc.func('long recvmsg(int fd, void *message, int flags)'),
  poll: libc.func('int poll(void *fds, ulong count, int timeout)'),
  close: libc.func('int close(int fd)'),
};

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const ANSWER_MS = 10_000;
const MAX_PACKET = 65_536;

export type Transport = 'tcp' | 'udp';
/** An owned port or echo identifier, or whichever of the owned ones is the lowest. */
export type Wanted = number | 'any';
/** A raw socket for TCP or UDP segments from and to one owned port. */
export interface RawRequest {
  open: 'raw';
  protocol: Transport;
  family: 4 | 6;
  port: Wanted;
  headerIncluded: boolean;
}
/** Echo requests and replies with an owned identifier, errors about packets from an owned port, or both. */
export interface IcmpRequest {
  open: 'icmp';
  family: 4 | 6;
  identifier?: Wanted;
  errorsOf?: { protocol: Transport; port: Wanted };
}
/** The headers of all packets from and to an owned port; `audit`: of all that the node sends, each with its slice. */
export type SnifferRequest = { open: 'sniffer'; protocol: Transport; port: Wanted } | { open: 'audit' };
export type SocketRequest = RawRequest | IcmpRequest | SnifferRequest;
/** What was opened: every `any` replaced by the port that it became. */
export type Opened = SocketRequest;
type Answer = { ok: Opened } | { error: { code: string; message: string } };

/** What the node manager said instead of opening anything; `code` as in errno(3). */
export class SliceError extends Error {
  override readonly name = 'SliceError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A raw socket of the node's: its holder closes it. */
export class RawSocket {
  readonly fd: number;
  readonly opened: Opened;

  constructor(fd: number, opened: Opened) {
    this.fd = fd;
    this.opened = opened;
  }

  /** Sends a segment, or a whole packet where the header is included. `to`: an IPv4 or IPv6 address, as 4 or 16 bytes. */
  send(packet: Buffer, to: Buffer): void {
    const address = Buffer.alloc(to.length === 4 ? 16 : 28);
    address.writeUInt16LE(to.length === 4 ? AF_INET : AF_INET6);
    to.copy(address, to.length === 4 ? 4 : 8);
    check('sendto', c.sendto(this.fd, packet, packet.length, MSG_NOSIGNAL, address, address.length));
  }

  /** The next packet: IPv4 with its header, IPv6 without; undefined where none came in time. */
  async receive(timeoutMs: number): Promise<Buffer | undefined> {
    if (!(await readable(this.fd, timeoutMs))) return undefined;
    const packet = Buffer.alloc(MAX_PACKET);
    return packet.subarray(0, check('recv', c.recv(this.fd, packet, packet.length, MSG_DONTWAIT)));
  }

  close(): void {
    c.close(this.fd);
  }
}

/** Opens a raw or an ICMP socket. Throws SliceError where the slice has no right to it. */
export async function openRawSocket(request: RawRequest | IcmpRequest, path?: string): Promise<RawSocket> {
  const { opened, passed, connection } = await ask(request, path);
  c.close(connection);
  if (passed === undefined) throw new SliceError('EIO', 'no descriptor came: too many are open here?');
  return new RawSocket(passed, opened);
}

/** Opens a sniffer: a stream of pcapng. Throws SliceError where the slice has no right to it. */
export async function openSniffer(request: SnifferRequest, path?: string): Promise<Socket> {
  const { connection } = await ask(request, path);
  return new Socket({ fd: connection, readable: true, writable: true });
}

interface Asked {
  opened: Opened;
  connection: number;
  passed: number | undefined;
}

async function ask(request: SocketRequest, path = '/run/slice/sockets'): Promise<Asked> {
  const connection = check('socket', c.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0));
  try {
    const address = Buffer.alloc(110);
    address.writeUInt16LE(AF_UNIX);
    address.write(path, 2, 107);
    check('connect', c.connect(connection, address, address.length));
    const line = Buffer.from(`${JSON.stringify(request)}\n`);
    // who is refused at once is told why before the connection is closed, whether this fails or not
    c.send(connection, line, line.length, MSG_NOSIGNAL);
    const { text, passed } = await readAnswer(connection);
    const answer = JSON.parse(text) as Answer;
    if ('error' in answer) throw new SliceError(answer.error.code, answer.error.message);
    return { opened: answer.ok, connection, passed };
  } catch (error) {
    c.close(connection);
    throw error;
  }
}

/** Byte by byte, as a sniffer's stream follows the line; a descriptor comes with the first. */
async function readAnswer(connection: number): Promise<{ text: string; passed: number | undefined }> {
  const bytes: number[] = [];
  let passed: number | undefined;
  const until = performance.now() + ANSWER_MS;
  for (;;) {
    if (!(await readable(connection, Math.max(0, until - performance.now())))) {
      throw new SliceError('ETIMEDOUT', 'the node manager does not answer');
    }
    const byte = Buffer.alloc(1);
    const control = Buffer.alloc(24);
    const header = Buffer.alloc(56 + 16);
    header.writeBigUInt64LE(koffi.address(header) + 56n, 16);
    header.writeBigUInt64LE(1n, 24);
    header.writeBigUInt64LE(koffi.address(control), 32);
    header.writeBigUInt64LE(BigInt(control.length), 40);
    header.writeBigUInt64LE(koffi.address(byte), 56);
    header.writeBigUInt64LE(1n, 64);
    if (check('recvmsg', c.recvmsg(connection, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) === 0) {
      throw new SliceError('EIO', 'the node manager closed the connection');
    }
    if (header.readBigUInt64LE(40) >= 20n) passed = control.readInt32LE(16);
    if (byte[0] === 10) return { text: Buffer.from(bytes).toString(), passed };
    bytes.push(byte[0]!);
  }
}

/** In a thread of the pool: a descriptor that is no stream can be waited for in no other way. */
async function readable(fd: number, timeoutMs: number): Promise<boolean> {
  const watched = Buffer.alloc(8);
  watched.writeInt32LE(fd);
  watched.writeInt16LE(1, 4);
  const count = await new Promise<number>((resolve, reject) => {
    c.poll.async(watched, 1, Math.ceil(timeoutMs), (error: Error | null, result: number) =>
      error ? reject(error) : resolve(result),
    );
  });
  return count > 0;
}

function check(call: string, result: number | bigint): number {
  if (result >= 0) return Number(result);
  const errno = koffi.errno();
  const code = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? String(errno);
  throw new SliceError(code, `${call}: ${code}`);
}
