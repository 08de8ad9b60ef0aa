/**
 * The sockets enforcer as a process of its own, to be started in a network namespace: takes one JSON request a line and
 * answers each with one line of JSON. Its kernel is a double that keeps grants and judges nothing, unless it is told not to be.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Kernel, RawGrant } from '../../node-daemonset/bpf/kernel.ts';
import { createConnectionsEnforcer } from '../../node-daemonset/connections/apply.ts';
import { createGuardEnforcer, type GuardEnforcer } from '../../node-daemonset/guard/apply.ts';
import { createPortsEnforcer } from '../../node-daemonset/ports/apply.ts';
import { createSocketsEnforcer } from '../../node-daemonset/sockets/apply.ts';
import { ClientFiles } from '../../node-daemonset/sockets/clientfiles.ts';
import { getOption, SOL_SOCKET } from '../../node-daemonset/sockets/libc.ts';
import { podOfPeer } from '../../node-daemonset/sockets/peer.ts';
import type { Desired, Enforcer } from '../../node-daemonset/sliver.ts';

export interface Setup {
  /** Slivers' directories are below. */
  root: string;
  registryFile: string;
  clientBuilt?: string;
  /** Believes that a process is in the pod that its environment's POD names: for tests without cgroups. */
  podByEnvironment?: boolean;
  /** The real programs in the kernel, pinned in this directory, instead of the double. */
  guard?: { prefix: string; directory: string };
  /** Ports lead to pods, as on a node; what is reserved is recorded in this file. */
  portsFile?: string;
}

export type Request = { setup: Setup } | { enforce: Desired } | { release: true } | { grants: true } | { memory: true };

type RawKernel = Pick<Kernel, 'rawGeneration' | 'markRaw' | 'holdRawPorts'>;

const grants: RawGrant[] = [];
const double: RawKernel = {
  rawGeneration: () => 1,
  markRaw: (_fd, grant) => void grants.push(grant),
  holdRawPorts: () => undefined,
};
let guard: GuardEnforcer | undefined;
let ports: Enforcer | undefined;
let connections: Enforcer | undefined;
let enforcer: ReturnType<typeof createSocketsEnforcer>;

function podByEnvironment(connection: number): string | undefined {
  try {
    const pid = getOption(connection, SOL_SOCKET, 17, 12).readInt32LE(0);
    return /(?:^|\0)POD=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function setUp(setup: Setup): void {
  const { root, registryFile, clientBuilt, podByEnvironment: byEnvironment, guard: given, portsFile } = setup;
  ports = portsFile === undefined ? undefined : createPortsEnforcer({ stateFile: portsFile });
  guard = given && createGuardEnforcer(given);
  connections = given && createConnectionsEnforcer(given);
  const programs: RawKernel = {
    rawGeneration: (sliver) => guard?.kernel()?.rawGeneration(sliver),
    markRaw: (fd, grant) => guard!.kernel()!.markRaw(fd, grant),
    holdRawPorts: (ports) => guard?.kernel()?.holdRawPorts(ports),
  };
  enforcer = createSocketsEnforcer({
    directoryOf: (uid) => `${root}/${uid}`,
    registryFile,
    kernel: guard ? programs : double,
    ...(clientBuilt && { clientFiles: new ClientFiles(clientBuilt, `${root}-client`) }),
    podOf: byEnvironment ? podByEnvironment : podOfPeer,
    log: { error: (...args: unknown[]) => console.error(...args) },
  });
}

async function answer(request: Request): Promise<unknown> {
  if ('setup' in request) return setUp(request.setup) ?? {};
  if ('enforce' in request) {
    const signal = AbortSignal.timeout(60_000);
    await ports?.enforce(request.enforce, signal);
    const connected = await connections?.enforce(request.enforce, signal);
    const guarded = await guard?.enforce(request.enforce, signal);
    const { writes, problems } = await enforcer.enforce(request.enforce, signal);
    return { writes, problems: [...(connected?.problems ?? []), ...(guarded?.problems ?? []), ...problems] };
  }
  if ('release' in request) return enforcer.release().then(() => ({}));
  if ('memory' in request) return { rss: process.memoryUsage.rss() };
  return grants;
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as Request).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
process.exit(0);
