/**
 * A node with slivers' sockets, a router and a far end, in network namespaces; and processes of slivers, without any
 * privilege, in the node's.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import { Lines } from './lines.ts';
import { Namespaces } from './netns.ts';
import type { Request, Setup } from './sockets-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLIENT = fileURLToPath(new URL('../../node-daemonset/sockets/client', import.meta.url));

/** Builds what slivers find in /run/slice, and the kernel's programs. */
export function buildClient(out: string): void {
  execFileSync('make', ['-s', '-C', CLIENT, `OUT=${out}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('make', ['-s', 'bpf'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
}

export const NODE4 = '10.77.0.1';
export const NODE6 = 'fd77::1';
export const FAR4 = '10.78.0.2';
export const FAR6 = 'fd78::2';
const ROUTER4 = '10.77.0.254';
const ROUTER6 = 'fd77::254';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Nobody's user, no capability and no way to get one: a file that has one can not even be started, as in a pod. */
const UNPRIVILEGED = 'setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all'.split(' ');

export class SocketsWorld {
  readonly net = new Namespaces('sok');
  readonly root = mkdtempSync(join(tmpdir(), 'slice-sockets-'));
  #manager: Lines<Request> | undefined;

  constructor() {
    chmodSync(this.root, 0o755);
    for (const name of ['node', 'router', 'far']) this.net.add(name);
    this.net.link(['node', 'upl0', `${NODE4}/24`], ['router', 'r0', `${ROUTER4}/24`]);
    this.net.link(['router', 'r1', '10.78.0.254/24'], ['far', 'f0', `${FAR4}/24`]);
    for (const [at, dev, address] of [
      ['node', 'upl0', NODE6],
      ['router', 'r0', ROUTER6],
      ['router', 'r1', 'fd78::254'],
      ['far', 'f0', FAR6],
    ] as const) {
      this.net.ip(at, 'addr', 'add', `${address}/64`, 'dev', dev, 'nodad');
    }
    this.net.run('router', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    // every probe of a traceroute is answered
    this.net.run('router', ['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0']);
    this.net.run('far', ['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0']);
    this.net.ip('node', 'route', 'add', 'default', 'via', ROUTER4);
    this.net.ip('node', '-6', 'route', 'add', 'default', 'via', ROUTER6);
    this.net.ip('far', 'route', 'add', 'default', 'via', '10.78.0.254');
    this.net.ip('far', '-6', 'route', 'add', 'default', 'via', 'fd78::254');
    buildClient(this.client);
  }

  get client(): string {
    return join(this.root, 'client');
  }

  /** Where the socket of a sliver is. */
  socket(uid: string): string {
    return join(this.root, 'slivers', uid, 'sockets');
  }

  /** Starts the part of a node manager that serves sockets. */
  async start(setup: Partial<Setup> = {}): Promise<void> {
    const program = fileURLToPath(new URL('sockets-process.ts', import.meta.url));
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    this.#manager = new Lines(this.net.spawn('node', [process.execPath, program], { stdio: [...stdio] }));
    const given: Setup = {
      root: join(this.root, 'slivers'),
      registryFile: join(this.root, 'raw-sockets.json'),
      clientBuilt: this.client,
      podByEnvironment: true,
      ...setup,
    };
    await this.ask({ setup: given });
  }

  /** As after a crash. */
  async restart(): Promise<void> {
    const { child } = this.#manager!;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await this.start();
  }

  async enforce(desired: Desired): Promise<EnforcerReport> {
    return await this.ask<EnforcerReport>({ enforce: desired });
  }

  async ask<T>(request: Request): Promise<T> {
    return await this.#manager!.ask<T>(request);
  }

  /** Starts a program as a process of a sliver's. */
  start65534(uid: string, argv: readonly string[]): ChildProcess {
    const environment = [
      `PATH=${process.env.PATH}:/usr/sbin`,
      `POD=${uid}`,
      `SLICE_SOCKET=${this.socket(uid)}`,
      `SLICE_SHIM=${join(this.client, 'lib/libslice-shim.so')}`,
      `LD_LIBRARY_PATH=${join(this.client, 'lib')}`,
    ];
    return this.net.spawn('node', ['env', '-i', ...environment, ...UNPRIVILEGED, ...argv], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Runs one to its end. */
  async run(uid: string, ...argv: string[]): Promise<Ended> {
    return await ended(this.start65534(uid, ['timeout', '30', ...argv]));
  }

  /** Runs one with the shim. */
  async shimmed(uid: string, ...argv: string[]): Promise<Ended> {
    return await this.run(uid, join(this.client, 'bin/slice-run'), ...argv);
  }

  /** Packets that match, seen where the far end's line begins, while something happens. */
  async capture(filter: string, work: () => Promise<void>): Promise<string[]> {
    const dump = this.net.spawn('far', ['tcpdump', '-lnnti', 'f0', '--immediate-mode', filter], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    dump.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(dump.stderr!, 'data');
    await work();
    const gone = once(dump, 'close');
    dump.kill('SIGINT');
    await gone;
    return text.split('\n').filter((line) => line !== '');
  }

  async remove(): Promise<void> {
    await this.net.remove();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What a process wrote until its end. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const written = { stdout: '', stderr: '' };
  child.stdout!.on('data', (chunk: Buffer) => (written.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (written.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...written };
}
