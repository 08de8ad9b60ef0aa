/** Each sliver's own way to the local API: a socket in its directory, which says whose sliver asks. */
import { LOCAL_PRIVILEGE } from '../../crds/localrequest.ts';
import { closeServer } from '../../kube/listen.ts';
import type { Log } from '../../kube/log.ts';
import { Allowance } from '../sensors/allowance.ts';
import type { Desired, Enforcer, EnforcerReport } from '../sliver.ts';
import { SliverSockets } from '../sockets/sliversockets.ts';
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

interface Kept {
  requests: Allowance;
  operations: Allowance;
  /** When each kind of refusal was logged last, and how many came since. */
  logged: Map<string, { at: number; since: number }>;
}

/** An enforcer, so that a sliver has its socket for as long as it has its right. */
export function createLocalSockets(options: LocalSocketsOptions): Enforcer & { close(): Promise<void> } {
  const { answering, isOffered, directoryOf, count, log, podOf } = options;
  const { requests, operations } = LOCAL_BOUNDS;
  const sockets = new SliverSockets<Kept>({
    name: LOCAL_SOCKET,
    directoryOf,
    bounds: LOCAL_BOUNDS,
    begin: (now) => ({
      requests: new Allowance(requests.perSecond, requests.burst, now),
      operations: new Allowance(operations.perSecond, operations.burst, now),
      logged: new Map(),
    }),
    onConnection: (socket) => server.emit('connection', socket),
    onTurnedAway(socket, uid, why) {
      const refusal = TURNED_AWAY[why]();
      count('Connect', refusal.code);
      refused(uid, 'Connect', refusal);
      socket.on('error', () => undefined);
      socket.end(refusalText(refusal.code, refusal.message));
      // what he is about to send is taken and forgotten, or he would see a broken pipe and not the answer
      socket.resume();
      const late = setTimeout(() => socket.destroy(), LOCAL_BOUNDS.lingerMs);
      socket.once('close', () => clearTimeout(late));
    },
    podOf,
  });

  const refused = (uid: string, operation: Counted, { code, message }: Refusal): void => {
    const own = sockets.kept(uid);
    if (!own) return;
    const now = performance.now();
    const last = own.logged.get(code) ?? { at: -Infinity, since: 0 };
    if (now - last.at < LOCAL_BOUNDS.logMs) {
      last.since++;
      return;
    }
    own.logged.set(code, { at: now, since: 0 });
    const sliver = sockets.sliver(uid);
    const fields = { pod: uid, namespace: sliver?.rcap.namespace, slice: sliver?.slice, operation, code, message };
    log.warn({ ...fields, more: last.since }, 'a local request was refused');
  };
  const server = createLocalServer({
    answering,
    isOffered,
    clientOf(socket) {
      const uid = sockets.uidOf(socket) ?? '';
      const own = sockets.kept(uid);
      return {
        sliver: sockets.sliver(uid),
        mayRequest: () => own?.requests.take(performance.now()) ?? false,
        mayOperate: () => own?.operations.take(performance.now()) ?? false,
      };
    },
    count,
    onRefused: (socket, operation, refusal) => refused(sockets.uidOf(socket) ?? '', operation, refusal),
    log,
  });

  const close = async (): Promise<void> => {
    sockets.close();
    await closeServer(server);
  };

  return {
    name: 'local',

    async enforce({ slivers }: Desired): Promise<EnforcerReport> {
      const offered = isOffered();
      return sockets.enforce(slivers, ({ standing, amounts }) => {
        return standing === 'entitled' && (offered || amounts.privileges.includes(LOCAL_PRIVILEGE));
      });
    },

    async release(): Promise<void> {
      await close();
    },

    close,
  };
}

const TURNED_AWAY = {
  NotYours: () => new Refusal('NotYours', "this is another sliver's socket, or the process that connected is gone"),
  Full: () => new Refusal('TooManyRequests', 'too many connections: close some'),
};
