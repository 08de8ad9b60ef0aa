/** Servers that strangers reach: nobody takes all connections, none is kept by saying nothing, and who comes last is served. */
import type { Server } from 'node:http';
import { isIPv4, type Socket } from 'node:net';
import { formatAddress, parseAddress } from '../crds/ipaddress.ts';

export interface VisitorLimits {
  /** Of all; undefined: the server's own bound is enough. Beyond it whoever has most gives one up. */
  connections?: number;
  /** Of one IPv4 address or one IPv6 /64. Beyond it the oldest gives way, one without a request before others. */
  connectionsEach: number;
  /** The most time in which nothing is sent or taken, in ms; undefined: the server's own. */
  idleMs?: number;
}

/** With `connections` in place of the server's own bound, which whoever comes first could use up for good. */
export function limitVisitors(
  server: Server,
  { connections = Infinity, connectionsEach, idleMs }: VisitorLimits,
): void {
  /** By visitor, the oldest first. */
  const open = new Map<string, Set<Socket>>();
  const busy = createCounts<Socket>();
  let all = 0;
  const drop = (who: string, socket: Socket): void => {
    const own = open.get(who);
    if (!own?.delete(socket)) return;
    if (own.size === 0) open.delete(who);
    all--;
  };
  const giveWay = (who: string, newest: Socket): void => {
    const own = [...open.get(who)!].filter((socket) => socket !== newest);
    const oldest = own.find((socket) => busy.of(socket) === 0) ?? own[0] ?? newest;
    drop(who, oldest);
    oldest.destroy();
  };
  server.on('request', ({ socket }, response) => {
    busy.add(socket);
    response.once('close', () => busy.remove(socket));
  });
  server.on('connection', (socket) => {
    const who = neighbourhood(socket.remoteAddress);
    const own = open.get(who) ?? new Set();
    open.set(who, own.add(socket));
    all++;
    socket.once('close', () => drop(who, socket));
    if (idleMs !== undefined) socket.setTimeout(idleMs, () => socket.destroy());
    if (own.size > connectionsEach) giveWay(who, socket);
    else if (all > connections) giveWay(whoHasMost(open), socket);
  });
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
}

function whoHasMost(open: ReadonlyMap<string, ReadonlySet<Socket>>): string {
  let most = '';
  let size = 0;
  for (const [who, own] of open) if (own.size > size) [most, size] = [who, own.size];
  return most;
}

/** How many there are of each; those of whom there are none take no memory. */
export interface Counts<K> {
  /** How many there are with this one. */
  add(key: K): number;
  remove(key: K): void;
  of(key: K): number;
}

export function createCounts<K>(): Counts<K> {
  const counts = new Map<K, number>();
  const of = (key: K): number => counts.get(key) ?? 0;
  return {
    of,
    add(key) {
      counts.set(key, of(key) + 1);
      return of(key);
    },
    remove(key) {
      if (of(key) > 1) counts.set(key, of(key) - 1);
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
