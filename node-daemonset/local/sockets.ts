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
    onTurnedAway(socket, uid, turned) {
      const refusal = TURNED_AWAY[turned.why]();
      count('Connect', refusal.code);
      if (turned.why === 'NotYours') intruded(turned.by, uid, refusal);
      else refused(uid, 'Connect', refusal);
      socket.on('error', () => undefined);
      socket.end(refusalText(refusal.code, refusal.message));
      // what he is about to send is taken and forgotten, or he would see a broken pipe and not the answer
      socket.resume();
      const late = setTimeout(() => socket.destroy(), LOCAL_BOUNDS.lingerMs);
      socket.once('close', () => clearTimeout(late));
    },
    podOf,
  });

  /** One line of a kind a minute at the cost of one sliver. */
  const warn = (kept: Kept | undefined, kind: string, fields: object): void => {
    if (!kept) return;
    const now = performance.now();
    const last = kept.logged.get(kind) ?? { at: -Infinity, since: 0 };
    if (now - last.at < LOCAL_BOUNDS.logMs) {
      last.since++;
      return;
    }
    kept.logged.set(kind, { at: now, since: 0 });
    log.warn({ ...fields, more: last.since }, 'a local request was refused');
  };

  const who = (pod: string): object => {
    const sliver = sockets.sliver(pod);
    return { pod, namespace: sliver?.rcap.namespace, slice: sliver?.slice };
  };

  const refused = (uid: string, operation: Counted, { code, message }: Refusal): void => {
    warn(sockets.kept(uid), code, { ...who(uid), operation, code, message });
  };

  /** Whoever comes to another's socket is at fault, and not whose socket it is: the line is his, and names both. */
  const intruded = (by: string | undefined, owner: string, { code, message }: Refusal): void => {
    const fields = {
      ...(by !== undefined && { by: who(by) }),
      socketOf: who(owner),
      operation: 'Connect',
      code,
      message,
    };
    const own = by === undefined ? undefined : sockets.kept(by);
    // what is no sliver, or gone, has nothing of its own to be counted in
    if (own) warn(own, code, fields);
    else warn(sockets.kept(owner), `${code} of no sliver`, fields);
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
