/** Everything that keeps a promise in the kernel, in the order of a pass: what another refers to comes first. */
import { fileURLToPath } from 'node:url';
import type { Log } from '../kube/log.ts';
import { type Kernel, KernelError } from './bpf/kernel.ts';
import { type NodeConfig, pathsOf } from './config.ts';
import { createConnectionsEnforcer } from './connections/apply.ts';
import { createCpuEnforcer } from './cpu/apply.ts';
import { createEgressEnforcer, type EgressEnforcer } from './egress/apply.ts';
import { createFreezeEnforcer } from './freeze/apply.ts';
import { createGuardEnforcer, type GuardEnforcer } from './guard/apply.ts';
import { createLimitsEnforcer } from './limits/apply.ts';
import { createPortsEnforcer, type PortsEnforcer } from './ports/apply.ts';
import type { Enforcer, Sliver } from './sliver.ts';
import { createSourcesEnforcer } from './sources/apply.ts';
import { createSocketsEnforcer } from './sockets/apply.ts';
import { ClientFiles } from './sockets/clientfiles.ts';

export interface EnforcerParts {
  config: NodeConfig;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  /** To be called when the kernel's state was changed behind our back. */
  onDisturbed(): void;
  log: Log;
}

export interface Enforcers {
  list: readonly Enforcer[];
  egress: EgressEnforcer;
  guard: GuardEnforcer;
  ports: PortsEnforcer;
  /** Ends what needs this process; what the kernel keeps by itself stays. */
  close(): void;
  /** Puts the kernel back as it was found; rejects with everything that could not be. */
  release(slivers: readonly Sliver[]): Promise<void>;
}

export function createEnforcers({ config, directoryOf, onDisturbed, log }: EnforcerParts): Enforcers {
  const tree = { prefix: config.cgroupPrefix };
  const paths = pathsOf(config);
  const guard = createGuardEnforcer({ ...tree, directory: paths.bpf, onDisturbed });
  const cpu = createCpuEnforcer({ ...tree, stateFile: paths.cpuOriginals, onDisturbed });
  const sources = createSourcesEnforcer();
  const egress = createEgressEnforcer({ beforeClassesGo: (desired) => guard.retreat(desired) });
  const ports = createPortsEnforcer({ stateFile: paths.reservedPorts });
  const connections = createConnectionsEnforcer(tree);
  const freeze = createFreezeEnforcer(tree);
  const sockets = createSocketsEnforcer({
    directoryOf,
    registryFile: paths.rawSockets,
    kernel: kernelOf(guard),
    ...clientFiles(paths.clients, log),
    log,
  });
  return {
    list: [createLimitsEnforcer(tree), cpu, sources, egress, ports, connections, guard, sockets, freeze],
    egress,
    guard,
    ports,
    close() {
      sockets.close();
      guard.close();
      freeze.close();
    },
    async release(slivers) {
      const failures: string[] = [];
      const releases = [
        () => freeze.release(slivers),
        ...[sockets, egress, sources, ports, connections, cpu, guard].map((one) => () => one.release()),
      ];
      for (const one of releases) await one().catch((error: Error) => failures.push(error.message));
      if (failures.length > 0) throw new Error(failures.join('; '));
    },
  };
}

/** The programs as they are now: a kernel that refused them may have them later. */
function kernelOf(guard: GuardEnforcer): Pick<Kernel, 'rawGeneration' | 'markRaw' | 'holdRawPorts'> {
  return {
    rawGeneration: (sliver) => guard.kernel()?.rawGeneration(sliver),
    markRaw(fd, grant) {
      const kernel = guard.kernel();
      if (!kernel) throw new KernelError('the programs that keep raw sockets to their grant are not in the kernel');
      kernel.markRaw(fd, grant);
    },
    // without the programs there are no raw sockets either
    holdRawPorts: (ports) => guard.kernel()?.holdRawPorts(ports),
  };
}

/** Slivers do without them where they were not built: whoever speaks the protocol needs none. */
function clientFiles(store: string, log: Log): { clientFiles?: ClientFiles } {
  try {
    return { clientFiles: new ClientFiles(fileURLToPath(new URL('sockets/client/build', import.meta.url)), store) };
  } catch (error) {
    log.warn({ err: error }, 'slivers get no client files');
    return {};
  }
}
