/** Each sliver's own way to the sensors: HTTP on a socket in its directory, which says whose sliver asks. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Desired, Enforcer, EnforcerReport, Problem, Sliver } from '../sliver.ts';
import { Bucket } from '../sockets/bucket.ts';
import { descriptorOf } from '../sockets/connection.ts';
import { Listener } from '../sockets/listener.ts';
import { podOfPeer } from '../sockets/peer.ts';
import type { Agents } from './agents.ts';
import { Allowance } from './allowance.ts';
import type { AnswerParts, Client } from './answer.ts';
import { Places } from './places.ts';
import type { Asker } from './registry.ts';
import { createHttpServer } from './server.ts';

/** The socket's name in the sliver's directory, which the sliver sees at /run/slice. */
export const SENSORS_SOCKET = 'sensors';
/** What the agent asks to upgrade to. */
const AGENT = 'slice-sensors';
const MAX_CONNECTIONS = 16;
const MAX_IN_ALL = 512;
/** Streams that a sliver may follow: its own, whatever others do. */
const MAX_STREAMS = 8;
/** Connections and requests of one sliver; beyond them connections wait in the kernel, and requests are refused. */
const CONNECTS = { perSecond: 50, burst: 100 };
const REQUESTS = { perSecond: 200, burst: 400 };

export interface SliverSocketsOptions {
  answering: AnswerParts;
  agents: Agents;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  /** Told of the slivers of each pass. */
  onSlivers(slivers: readonly Sliver[]): void;
  /** Tests that have no pods say here who connects. */
  podOf?: (connection: number) => string | undefined;
}

interface Served {
  listener: Listener;
  connections: Set<Socket>;
  /** Connections of its agent, which ask nothing. */
  agents: Set<Socket>;
  connects: Bucket;
  requests: Allowance;
  streams: Places;
}

/** An enforcer, so that a sliver has its socket for as long as it has its right. */
export function createSliverSockets(options: SliverSocketsOptions): Enforcer & { close(): void } {
  const { answering, agents, directoryOf, onSlivers, podOf = podOfPeer } = options;
  let slivers: ReadonlyMap<string, Sliver> = new Map();
  const served = new Map<string, Served>();
  const uids = new WeakMap<Socket, string>();
  const asking = new Set<Socket>();
  const pending = { bytes: 0 };

  const clientOf = (socket: Socket): Client => {
    const uid = uids.get(socket) ?? '';
    const sliver = slivers.get(uid);
    const isRight = sliver?.standing === 'entitled';
    const asker: Asker = isRight ? { kind: 'sliver', slice: sliceOf(sliver) } : { kind: 'public' };
    const { requests = NOTHING, streams = NO_PLACES } = served.get(uid) ?? {};
    return { asker, allowance: requests, streams, pending };
  };
  const server: Server = createHttpServer(answering, clientOf);
  server.on('upgrade', ({ headers, socket: before }, socket: Socket) => {
    const uid = uids.get(before);
    if (headers.upgrade !== AGENT || uid === undefined) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.setTimeout(0);
    // the programs that run are as many as Sensors: they take no place of those who ask
    leave(uid, socket);
    served.get(uid)?.agents.add(socket);
    socket.once('close', () => served.get(uid)?.agents.delete(socket));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${AGENT}\r\n\r\n`);
    agents.add(uid, socket);
  });

  /** It is none of those any more that ask. */
  const leave = (uid: string, socket: Socket): void => {
    uids.delete(socket);
    if (asking.delete(socket)) served.get(uid)?.connections.delete(socket);
  };

  const accept = (uid: string, socket: Socket): void => {
    const own = served.get(uid);
    if (!own) {
      socket.destroy();
      return;
    }
    const { connections, connects, listener } = own;
    const wait = connects.take(performance.now());
    if (wait > 0) listener.rest(wait);
    const full = connections.size >= MAX_CONNECTIONS || (asking.size >= MAX_IN_ALL && connections.size > 0);
    if (full || podOf(descriptorOf(socket)) !== uid) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    asking.add(socket);
    uids.set(socket, uid);
    socket.once('close', () => leave(uid, socket));
    server.emit('connection', socket);
    socket.resume();
  };

  const serve = (uid: string): void => {
    const directory = directoryOf(uid);
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    const now = performance.now();
    served.set(uid, {
      listener: new Listener(join(directory, SENSORS_SOCKET), (socket) => accept(uid, socket)),
      connections: new Set(),
      agents: new Set(),
      connects: new Bucket(CONNECTS.perSecond, CONNECTS.burst, now),
      requests: new Allowance(REQUESTS.perSecond, REQUESTS.burst, now),
      streams: new Places(MAX_STREAMS),
    });
  };
  const end = (uid: string): void => {
    const { listener, connections, agents: upgraded } = served.get(uid)!;
    served.delete(uid);
    listener.close();
    for (const socket of [...connections, ...upgraded]) socket.destroy();
  };

  const close = (): void => {
    for (const uid of [...served.keys()]) end(uid);
    server.closeAllConnections();
  };

  return {
    name: 'sensors',

    async enforce({ slivers: all }: Desired): Promise<EnforcerReport> {
      const problems: Problem[] = [];
      slivers = new Map(all.map((sliver) => [sliver.id, sliver]));
      onSlivers(all);
      let writes = 0;
      for (const uid of served.keys()) {
        const isRight = slivers.get(uid)?.standing === 'entitled';
        // its directory may have been taken away and made anew
        if (isRight && existsSync(join(directoryOf(uid), SENSORS_SOCKET))) continue;
        end(uid);
        writes++;
      }
      for (const { id, standing } of all) {
        if (standing !== 'entitled' || served.has(id)) continue;
        try {
          serve(id);
          writes++;
        } catch (error) {
          problems.push({ sliver: id, reason: 'SocketNotServed', message: (error as Error).message });
        }
      }
      return { writes, problems };
    },

    async release(): Promise<void> {
      close();
    },

    close,
  };
}

/** Of a sliver that is gone. */
const NOTHING = { take: () => false };
const NO_PLACES = new Places(0);

function sliceOf({ rcap, slice }: Sliver): string {
  return `${rcap.namespace}/${slice ?? rcap.name}`;
}
