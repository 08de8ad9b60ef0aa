/** What one visitor of a server that listens to strangers may take: so that nobody keeps all others away. */
import type { Server } from 'node:http';
import { isIPv4 } from 'node:net';
import { formatAddress, parseAddress } from '../crds/ipaddress.ts';

export interface VisitorLimits {
  /** Connections of one IPv4 address or one IPv6 /64. */
  connectionsEach: number;
  /** The most time in which nothing is sent or taken, in ms. */
  idleMs: number;
}

/** Nobody takes all connections, and none is kept by saying nothing. */
export function limitVisitors(server: Server, { connectionsEach, idleMs }: VisitorLimits): void {
  const connected = createCounts();
  server.on('connection', (socket) => {
    const who = neighbourhood(socket.remoteAddress);
    socket.once('close', () => connected.remove(who));
    if (connected.add(who) > connectionsEach) socket.destroy();
    socket.setTimeout(idleMs, () => socket.destroy());
  });
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
}

/** How many there are of each; those of whom there are none take no memory. */
export function createCounts(): { add(key: string): number; remove(key: string): void } {
  const counts = new Map<string, number>();
  return {
    add(key) {
      const now = (counts.get(key) ?? 0) + 1;
      counts.set(key, now);
      return now;
    },
    remove(key) {
      const left = (counts.get(key) ?? 0) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    },
  };
}

/** One IPv4 address, or the 64 bits that one customer has of IPv6 at least. */
export function neighbourhood(remoteAddress = ''): string {
  const text = formatAddress(parseAddress(remoteAddress.replace(/%.*$/, '')) ?? new Uint8Array(16));
  const bytes = parseAddress(text)!;
  return isIPv4(text) ? text : Buffer.from(bytes.subarray(0, 8)).toString('hex');
}
