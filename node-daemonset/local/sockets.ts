/** Each sliver's own way to the local API: a socket in its directory, which says whose sliver asks. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { LOCAL_PRIVILEGE } from '../../crds/localrequest.ts';
import { closeServer } from '../../kube/listen.ts';
import type { Log } from '../../kube/log.ts';
import { Allowance } from '../sensors/allowance.ts';
import type { Desired, Enforcer, EnforcerReport, Problem, Sliver } from '../sliver.ts';
import { Bucket } from '../sockets/bucket.ts';
import { descriptorOf } from '../sockets/connection.ts';
import { Listener } from '../sockets/listener.ts';
import { podOfPeer } from '../sockets/peer.ts';
import type { AnswerParts } from './answer.ts';
import { LOCAL_BOUNDS } from './bounds.ts';
import type { Counted, CountLocal } from './metrics.ts';
import { Refusal } from './refusal.ts';
import { createLocalServer, refusalText } from './server.ts';

/** The socket's name in the sliver's directory, which the sliver sees at /run/slice. */
export const LOCAL_SOCKET = 'capabilities';

export interface LocalSocketsOptions {
  answering: AnswerParts;
  /** Whether the owner offers the privilege: then every sliver has a socket, if only to be told that it may not. */
  isOffered(): boolean;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  count: CountLocal;
  log: Pick<Log, 'warn' | 'error'>;
  /** Tests that have no pods say here who connects. */
  podOf?: (connection: number) => string | undefined;
}

interface Served {
  listener: Listener;
  connections: Set<Socket>;
  connects: Bucket;
  requests: Allowance;
  operations: Allowance;
  /** When each kind of refusal was logged last, and how many came since. */
  logged: Map<string, { at: number; since: number }>;
}

/** An enforcer, so that a sliver has its socket for as long as it has its right. */
export function createLocalSockets(options: LocalSocketsOptions): Enforcer & { close(): Promise<void> } {
  const { answering, isOffered, directoryOf, count, log, podOf = podOfPeer } = options;
  let slivers: ReadonlyMap<string, Sliver> = new Map();
  const served = new Map<string, Served>();
  const uids = new WeakMap<Socket, string>();
  let inAll = 0;

  const refused = (uid: string, operation: Counted, { code, message }: Refusal): void => {
    const own = served.get(uid);
    if (!own) return;
    const now = performance.now();
    const last = own.logged.get(code) ?? { at: -Infinity, since: 0 };
    if (now - last.at < LOCAL_BOUNDS.logMs) {
      last.since++;
      return;
    }
    own.logged.set(code, { at: now, since: 0 });
    const sliver = slivers.get(uid);
    const fields = { pod: uid, namespace: sliver?.rcap.namespace, slice: sliver?.slice, operation, code, message };
    log.warn({ ...fields, more: last.since }, 'a local request was refused');
  };
  const server = createLocalServer({
    answering,
    isOffered,
    clientOf(socket) {
      const uid = uids.get(socket) ?? '';
      const own = served.get(uid);
      return {
        sliver: slivers.get(uid),
        mayRequest: () => own?.requests.take(performance.now()) ?? false,
        mayOperate: () => own?.operations.take(performance.now()) ?? false,
      };
    },
    count,
    onRefused: (socket, operation, refusal) => refused(uids.get(socket) ?? '', operation, refusal),
    log,
  });

  const accept = (uid: string, socket: Socket): void => {
    const own = served.get(uid);
    if (!own) {
      socket.destroy();
      return;
    }
    const { connections, connects, listener } = own;
    const wait = connects.take(performance.now());
    if (wait > 0) listener.rest(wait);
    const turnAway = (refusal: Refusal): void => {
      count('Connect', refusal.code);
      refused(uid, 'Connect', refusal);
      socket.on('error', () => undefined);
      socket.end(refusalText(refusal.code, refusal.message));
      // what he is about to send is taken and forgotten, or he would see a broken pipe and not the answer
      socket.resume();
      const late = setTimeout(() => socket.destroy(), LOCAL_BOUNDS.lingerMs);
      socket.once('close', () => clearTimeout(late));
    };
    if (podOf(descriptorOf(socket)) !== uid) {
      turnAway(new Refusal('NotYours', "this is another sliver's socket, or the process that connected is gone"));
      return;
    }
    const { connections: most, connectionsInAll } = LOCAL_BOUNDS;
    // however many others have, one is to be had by everybody
    if (connections.size >= most || (inAll >= connectionsInAll && connections.size > 0)) {
      turnAway(new Refusal('TooManyRequests', 'too many connections: close some'));
      return;
    }
    connections.add(socket);
    inAll++;
    uids.set(socket, uid);
    socket.once('close', () => {
      connections.delete(socket);
      inAll--;
    });
    server.emit('connection', socket);
    socket.resume();
  };

  const serve = (uid: string): void => {
    const directory = directoryOf(uid);
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    const now = performance.now();
    const { connects, requests, operations } = LOCAL_BOUNDS;
    served.set(uid, {
      listener: new Listener(join(directory, LOCAL_SOCKET), (socket) => accept(uid, socket)),
      connections: new Set(),
      connects: new Bucket(connects.perSecond, connects.burst, now),
      requests: new Allowance(requests.perSecond, requests.burst, now),
      operations: new Allowance(operations.perSecond, operations.burst, now),
      logged: new Map(),
    });
  };
  const end = (uid: string): void => {
    const { listener, connections } = served.get(uid)!;
    served.delete(uid);
    listener.close();
    for (const socket of connections) socket.destroy();
  };
  const close = async (): Promise<void> => {
    for (const uid of [...served.keys()]) end(uid);
    await closeServer(server);
  };

  return {
    name: 'local',

    async enforce({ slivers: all }: Desired): Promise<EnforcerReport> {
      const problems: Problem[] = [];
      slivers = new Map(all.map((sliver) => [sliver.id, sliver]));
      const offered = isOffered();
      const has = (sliver: Sliver | undefined): boolean =>
        sliver?.standing === 'entitled' && (offered || sliver.amounts.privileges.includes(LOCAL_PRIVILEGE));
      let writes = 0;
      for (const uid of served.keys()) {
        // its directory may have been taken away and made anew
        if (has(slivers.get(uid)) && existsSync(join(directoryOf(uid), LOCAL_SOCKET))) continue;
        end(uid);
        writes++;
      }
      for (const sliver of all) {
        if (!has(sliver) || served.has(sliver.id)) continue;
        try {
          serve(sliver.id);
          writes++;
        } catch (error) {
          problems.push({ sliver: sliver.id, reason: 'SocketNotServed', message: (error as Error).message });
        }
      }
      return { writes, problems };
    },

    async release(): Promise<void> {
      await close();
    },

    close,
  };
}
