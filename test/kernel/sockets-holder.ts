/**
 * A program in a sliver that holds raw sockets: `sockets-holder.ts SOCKET`, one JSON command a line, each answered by `ok`
 * or the name of an errno.
 */
import { createInterface } from 'node:readline';
import { openRawSocket, type RawSocket, SliceError } from '../../node-daemonset/sockets/client/slice.ts';
import type { SocketRequest } from '../../node-daemonset/sockets/request.ts';

export type Command =
  | { open: Extract<SocketRequest, { open: 'raw' | 'icmp' }>; as: string }
  /** A TCP SYN, a UDP datagram or an echo request; `source`: with an IPv4 header that says so. */
  | { send: string; protocol: 'tcp' | 'udp' | 'icmp'; port: number; to: string; source?: string }
  /** Waits for the next packet. */
  | { receive: string };

const path = process.argv[2]!;
const sockets = new Map<string, RawSocket>();
const bytesOf = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Nobody checks its checksum here. */
function segment(protocol: 'tcp' | 'udp' | 'icmp', port: number): Buffer {
  const bytes = Buffer.alloc(protocol === 'tcp' ? 20 : 8);
  if (protocol === 'icmp') {
    bytes[0] = 8;
    bytes.writeUInt16BE(port, 4);
    return bytes;
  }
  bytes.writeUInt16BE(port, 0);
  bytes.writeUInt16BE(9, 2);
  if (protocol === 'tcp') bytes.set([0x50, 2], 12);
  else bytes.writeUInt16BE(8, 4);
  return bytes;
}

function withHeader(source: string, to: string, protocol: 'tcp' | 'udp' | 'icmp', data: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.set([0x45, 0], 0);
  header.writeUInt16BE(20 + data.length, 2);
  header.set([64, { tcp: 6, udp: 17, icmp: 1 }[protocol]], 8);
  bytesOf(source).copy(header, 12);
  bytesOf(to).copy(header, 16);
  return Buffer.concat([header, data]);
}

async function obey(command: Command): Promise<void> {
  if ('open' in command) {
    sockets.set(command.as, await openRawSocket(command.open, path));
    return;
  }
  if ('receive' in command) {
    if (!(await sockets.get(command.receive)!.receive(5000))) throw new Error('nothing came');
    return;
  }
  const { send, protocol, port, to, source } = command;
  const data = segment(protocol, port);
  sockets.get(send)!.send(source === undefined ? data : withHeader(source, to, protocol, data), bytesOf(to));
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(JSON.parse(line) as Command).then(
    () => 'ok',
    (error: Error) => (error instanceof SliceError ? error.code : error.message),
  );
  console.log(answer);
}
