/** The sockets enforcer: every entitled sliver has its socket, and nobody keeps what he has no right to any more. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Kernel } from '../bpf/kernel.ts';
import { interfaceIndex } from '../bpf/netns.ts';
import { readDefaultRoutes } from '../egress/observe.ts';
import type { Desired, Enforcer, EnforcerReport, Line, Problem, Sliver } from '../sliver.ts';
import { Audit } from './audit.ts';
import type { ClientFiles } from './clientfiles.ts';
import { NUMBER_OF } from './filter.ts';
import { Opener } from './opener.ts';
import { destroyOrdinary, holderOf } from './ordinary.ts';
import { podOfPeer } from './peer.ts';
import { RawPortsTable } from './rawportstable.ts';
import { rawPortsOf, SocketRegistry } from './registry.ts';
import { mayKeep, planLost } from './rights.ts';
import { SliverServer } from './server.ts';
import { Sniffers } from './sniffers.ts';

/** The socket's name in the sliver's directory, which the sliver sees at /run/slice. */
export const SOCKET_NAME = 'sockets';

/** So long a port may go on being a raw socket's that was closed. */
const WATCH_MS = 1000;

export interface SocketsOptions {
  /** A sliver's directory, by its pod's uid: the one that is shown in the pod. */
  directoryOf(uid: string): string;
  /** Where the raw sockets that are out are kept; it must go with a reboot, as they do. */
  registryFile: string;
  kernel: Pick<Kernel, 'rawGeneration' | 'markRaw' | 'holdRawPorts'>;
  /** What slivers find beside their socket: library, shim and slice-dump. */
  clientFiles?: ClientFiles;
  /** Tests that have no pods say here who connects. */
  podOf?: (connection: number) => string | undefined;
  log: Pick<Logger, 'error'>;
}

/** `close` ends every connection and leaves what slivers have opened. */
export function createSocketsEnforcer(options: SocketsOptions): Enforcer & { close(): void } {
  const { directoryOf, kernel, clientFiles, log, podOf = podOfPeer } = options;
  let slivers: ReadonlyMap<string, Sliver> = new Map();
  const registry = new SocketRegistry(options.registryFile);
  /** Of sockets whose holder has the right to them still. */
  const rawPorts = new RawPortsTable(
    () => rawPortsOf(registry.live().filter(({ opened, sliver }) => mayKeep(opened, slivers.get(sliver)))),
    ({ tcp, udp }) =>
      kernel.holdRawPorts([
        ...tcp.map((port) => ({ protocol: NUMBER_OF.tcp, port })),
        ...udp.map((port) => ({ protocol: NUMBER_OF.udp, port })),
      ]),
  );
  let lines: readonly Line[] = [];
  const sniffers = new Sniffers(() => lines);
  /** Slices as <namespace>/<name>, by the HTB class that they send in. */
  let slices: ReadonlyMap<number, string> = new Map();
  const audit = new Audit({
    uplinks: () => {
      const names = lines.length > 0 ? lines.map((line) => line.interface) : readDefaultRoutes();
      return names.map(interfaceIndex).filter((index) => index > 0);
    },
    sliceOf: (classId) => slices.get(classId),
  });
  const opener = new Opener({ kernel, registry, sniffers, audit, holderOf, silenceKernel: () => rawPorts.sync() });
  const servers = new Map<string, SliverServer>();
  const total = { connections: 0 };

  const pathOf = (uid: string): string => join(directoryOf(uid), SOCKET_NAME);

  const serve = (sliver: Sliver): void => {
    const directory = directoryOf(sliver.id);
    // the pod's volume may be about to be made
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    clientFiles?.link(directory);
    const server = new SliverServer({
      path: pathOf(sliver.id),
      uid: sliver.id,
      sliver: () => slivers.get(sliver.id),
      podOf,
      total,
      open: (opened, holder) => opener.open(opened, holder),
      log,
    });
    servers.set(sliver.id, server);
  };

  // The kernel tells nobody that a socket was closed, and its port is to lead to the pod again soon.
  const watch = setInterval(() => {
    rawPorts.refresh().catch((error: Error) => log.error({ err: error }, 'rules of raw ports were not changed'));
  }, WATCH_MS);
  watch.unref();

  const close = (): void => {
    clearInterval(watch);
    for (const server of servers.values()) server.close();
    servers.clear();
  };

  return {
    name: 'sockets',

    async enforce({ slivers: all, facts }: Desired): Promise<EnforcerReport> {
      const problems: Problem[] = [];
      const before = slivers;
      ({ lines } = facts);
      slices = new Map(all.map(({ classId, rcap, slice }) => [classId, `${rcap.namespace}/${slice ?? rcap.name}`]));
      slivers = new Map(all.map((sliver) => [sliver.id, sliver]));
      let writes = 0;
      for (const [uid, server] of servers) {
        // its directory may have been taken away and made anew
        if (slivers.get(uid)?.standing === 'entitled' && existsSync(pathOf(uid))) {
          server.revoke();
          continue;
        }
        server.close();
        servers.delete(uid);
        writes++;
      }
      for (const sliver of all) {
        if (sliver.standing !== 'entitled' || servers.has(sliver.id)) continue;
        try {
          serve(sliver);
          writes++;
        } catch (error) {
          problems.push({ sliver: sliver.id, reason: 'SocketNotServed', message: (error as Error).message });
        }
      }
      writes += await rawPorts.sync();
      const lost = [...before.values()].flatMap((sliver) => planLost(sliver, slivers.get(sliver.id)));
      await destroyOrdinary(lost).catch((error: Error) => {
        problems.push({ reason: 'SocketsNotEnded', message: error.message });
      });
      return { writes: writes + lost.length, problems };
    },

    async release() {
      close();
      await rawPorts.release();
    },

    close,
  };
}
