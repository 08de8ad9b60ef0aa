/** Each sliver's own way to the sensors: HTTP on a socket in its directory, which says whose sliver asks. */
import type { Socket } from 'node:net';
import type { Desired, Enforcer, EnforcerReport, Sliver } from '../sliver.ts';
import { SliverSockets } from '../sockets/sliversockets.ts';
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
const BOUNDS = { connections: 16, connectionsInAll: 512, connects: { perSecond: 50, burst: 100 } };
/** Streams that a sliver may follow: its own, whatever others do. */
const MAX_STREAMS = 8;
/** Of one sliver; beyond them requests are refused. */
const REQUESTS = { perSecond: 200, burst: 400 };

export interface SensorSocketsOptions {
  answering: AnswerParts;
  agents: Agents;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  /** Told of the slivers of each pass. */
  onSlivers(slivers: readonly Sliver[]): void;
  /** Tests that have no pods say here who connects. */
  podOf?: (connection: number) => string | undefined;
}

interface Kept {
  /** Connections of its agent, which ask nothing. */
  agents: Set<Socket>;
  requests: Allowance;
  streams: Places;
}

/** An enforcer, so that a sliver has its socket for as long as it has its right. */
export function createSliverSockets(options: SensorSocketsOptions): Enforcer & { close(): void } {
  const { answering, agents, directoryOf, onSlivers, podOf } = options;
  const pending = { bytes: 0 };
  const sockets = new SliverSockets<Kept>({
    name: SENSORS_SOCKET,
    directoryOf,
    bounds: BOUNDS,
    begin: (now) => ({
      agents: new Set(),
      requests: new Allowance(REQUESTS.perSecond, REQUESTS.burst, now),
      streams: new Places(MAX_STREAMS),
    }),
    onConnection: (socket) => server.emit('connection', socket),
    onTurnedAway: (socket) => socket.destroy(),
    onEnd: ({ agents: upgraded }) => upgraded.forEach((socket) => socket.destroy()),
    podOf,
  });

  const clientOf = (socket: Socket): Client => {
    const uid = sockets.uidOf(socket) ?? '';
    const sliver = sockets.sliver(uid);
    const asker: Asker = isEntitled(sliver) ? { kind: 'sliver', slice: sliceOf(sliver) } : { kind: 'public' };
    const { requests = NOTHING, streams = NO_PLACES } = sockets.kept(uid) ?? {};
    return { asker, allowance: requests, streams, pending };
  };
  const server = createHttpServer(answering, clientOf);
  server.on('upgrade', ({ headers, socket: before }, socket: Socket) => {
    const uid = sockets.uidOf(before);
    if (headers.upgrade !== AGENT || uid === undefined) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.setTimeout(0);
    // the programs that run are as many as Sensors: they take no place of those who ask
    sockets.letGo(socket);
    const kept = sockets.kept(uid);
    kept?.agents.add(socket);
    socket.once('close', () => kept?.agents.delete(socket));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${AGENT}\r\n\r\n`);
    agents.add(uid, socket);
  });

  const close = (): void => {
    sockets.close();
    server.closeAllConnections();
  };

  return {
    name: 'sensors',

    async enforce({ slivers }: Desired): Promise<EnforcerReport> {
      onSlivers(slivers);
      return sockets.enforce(slivers, isEntitled);
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

function isEntitled(sliver: Sliver | undefined): sliver is Sliver {
  return sliver?.standing === 'entitled';
}

function sliceOf({ rcap, slice }: Sliver): string {
  return `${rcap.namespace}/${slice ?? rcap.name}`;
}
