/**
 * The sockets enforcer as a process of its own, to be started in a network namespace: takes one JSON request a line and
 * answers each with one line of JSON. Its kernel is a double that keeps grants and judges nothing, unless it is told not to be.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RawGrant } from '../../node-daemonset/bpf/kernel.ts';
import { createSocketsEnforcer } from '../../node-daemonset/sockets/apply.ts';
import { ClientFiles } from '../../node-daemonset/sockets/clientfiles.ts';
import { getOption, SOL_SOCKET } from '../../node-daemonset/sockets/libc.ts';
import { podOfPeer } from '../../node-daemonset/sockets/peer.ts';
import type { Desired } from '../../node-daemonset/sliver.ts';

export interface Setup {
  /** Slivers' directories are below. */
  root: string;
  registryFile: string;
  clientBuilt?: string;
  /** Believes that a process is in the pod that its environment's POD names: for tests without cgroups. */
  podByEnvironment?: boolean;
}

export type Request = { setup: Setup } | { enforce: Desired } | { release: true } | { grants: true } | { memory: true };

const grants: RawGrant[] = [];
const kernel = { rawGeneration: () => 1, markRaw: (_fd: number, grant: RawGrant) => void grants.push(grant) };
let enforcer: ReturnType<typeof createSocketsEnforcer>;

function podByEnvironment(connection: number): string | undefined {
  try {
    const pid = getOption(connection, SOL_SOCKET, 17, 12).readInt32LE(0);
    return /(?:^|\0)POD=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function setUp({ root, registryFile, clientBuilt, podByEnvironment: byEnvironment }: Setup): void {
  enforcer = createSocketsEnforcer({
    directoryOf: (uid) => `${root}/${uid}`,
    registryFile,
    kernel,
    ...(clientBuilt && { clientFiles: new ClientFiles(clientBuilt, `${root}-client`) }),
    podOf: byEnvironment ? podByEnvironment : podOfPeer,
    log: { error: (...args: unknown[]) => console.error(...args) },
  });
}

async function answer(request: Request): Promise<unknown> {
  if ('setup' in request) return setUp(request.setup) ?? {};
  if ('enforce' in request) return enforcer.enforce(request.enforce, AbortSignal.timeout(10_000));
  if ('release' in request) return enforcer.release().then(() => ({}));
  if ('memory' in request) return { rss: process.memoryUsage.rss() };
  return grants;
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as Request).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
process.exit(0);
