/**
 * A user-level TCP of one conversation, in a sliver: `sockets-tcp.ts SOCKET FROM TO PORT` shakes hands from the lowest
 * owned port, says hello, waits for its echo and hangs up by a reset of its own. IPv4.
 */
import { openRawSocket } from '../../node-daemonset/sockets/client/slice.ts';

const [path, from, to, port] = process.argv.slice(2) as [string, string, string, string];
const bytesOf = (address: string): Buffer => Buffer.from(address.split('.').map(Number));
const SYN = 2;
const RST = 4;
const PSH_ACK = 0x18;

const socket = await openRawSocket(
  { open: 'raw', protocol: 'tcp', family: 4, port: 'any', headerIncluded: false },
  path,
);
if (socket.opened.open !== 'raw') throw new Error('something else was opened');
const own = Number(socket.opened.port);

function checksum(...parts: Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function send(flags: number, sequence: number, acknowledged: number, data = ''): void {
  const segment = Buffer.alloc(20 + data.length);
  segment.writeUInt16BE(own, 0);
  segment.writeUInt16BE(Number(port), 2);
  segment.writeUInt32BE(sequence, 4);
  segment.writeUInt32BE(acknowledged, 8);
  segment.writeUInt8(5 << 4, 12);
  segment.writeUInt8(flags, 13);
  segment.writeUInt16BE(8192, 14);
  segment.write(data, 20);
  const pseudo = Buffer.concat([
    bytesOf(from),
    bytesOf(to),
    Buffer.from([0, 6, segment.length >> 8, segment.length & 255]),
  ]);
  segment.writeUInt16BE(checksum(pseudo, segment), 16);
  socket.send(segment, bytesOf(to));
}

/** The next segment of our conversation that is one of these. */
async function receive(what: string, wanted: (flags: number, data: string) => boolean): Promise<Buffer> {
  for (;;) {
    const packet = await socket.receive(20000);
    if (!packet) throw new Error(`no ${what} came`);
    const segment = packet.subarray((packet[0]! & 15) * 4);
    if (segment.readUInt16BE(0) !== Number(port)) continue;
    const flags = segment[13]!;
    if (flags & RST) throw new Error(`a reset came instead of ${what}`);
    if (wanted(flags, segment.subarray((segment[12]! >> 4) * 4).toString())) return segment;
  }
}

const begin = 1000;
send(SYN, begin, 0);
const hello = await receive('SYN-ACK', (flags) => (flags & 0x12) === 0x12);
// Time for the kernel to reset what it knows nothing of.
await new Promise((resolve) => setTimeout(resolve, 200));
send(PSH_ACK, begin + 1, hello.readUInt32BE(4) + 1, 'hello');
const echo = await receive('echo', (_flags, data) => data === 'hello');
console.log('echoed: hello');
send(RST, begin + 6, echo.readUInt32BE(4) + 5);
socket.close();
