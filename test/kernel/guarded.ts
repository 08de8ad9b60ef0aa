/** A node whose pods are guarded by the real programs: namespaces, cgroups, processes in them, and a world that listens. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isBpffs } from '../../node-daemonset/bpf/bpffs.ts';
import { parseMounts } from '../../node-daemonset/cpu/cgroups.ts';
import { RAW_MARK } from '../../node-daemonset/bpf/layout.ts';
import type { RawGrant, SliverCounters } from '../../node-daemonset/bpf/kernel.ts';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import type { GuardReplies, GuardRequest } from './guard-process.ts';
import { removeDirectory, TestKubepods } from './kubepods.ts';
import { Namespaces } from './netns.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOBODY = [
  '--reuid=65534',
  '--regid=65534',
  '--clear-groups',
  '--no-new-privs',
  '--inh-caps=-all',
  '--bounding-set=-all',
];

/** A process that does as its lines say; see programs/peer.c. */
export class Peer {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** The answer to one command. */
  async ask(command: string): Promise<string> {
    this.child.stdin!.write(`${command}\n`);
    return this.answer();
  }

  async answer(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the peer has ended');
    return value;
  }

  /** The answers to several; the first that is not `ok` is the last that is asked. */
  async all(...commands: string[]): Promise<string> {
    for (const command of commands) {
      const answer = await this.ask(command);
      if (answer !== 'ok') return answer;
    }
    return 'ok';
  }
}

export class GuardedNode {
  readonly net: Namespaces;
  readonly directory = mkdtempSync(join(tmpdir(), 'guard-'));
  readonly #kubepods: TestKubepods;
  readonly #unified: string;
  readonly #pods: string[] = [];
  #passed = 0;
  #guard: { child: ChildProcess; lines: Interface } | undefined;

  /** `name`: where two are there at a time. */
  constructor(name = '') {
    this.net = new Namespaces(`sob${name.slice(0, 1)}`);
    execFileSync('make', ['-s', 'bpf'], { cwd: ROOT });
    const source = new URL('programs/peer.c', import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-w', '-o', join(this.directory, 'peer'), source]);
    chmodSync(this.directory, 0o755);
    mkdirSync(join(this.directory, 'passed'));
    chmodSync(join(this.directory, 'passed'), 0o777);
    this.#kubepods = new TestKubepods(`slice-guard${name}`, 2000);
    const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    this.#unified = mounts.find(({ version }) => version === 2)!.point;
    for (const namespace of ['node', 'world']) this.net.add(namespace);
    this.net.link(['node', 'upl0', '10.77.0.1/24'], ['world', 'w0', '10.77.0.2/24']);
    this.net.ip('node', 'addr', 'add', 'fd77::1/64', 'dev', 'upl0', 'nodad');
    this.net.ip('world', 'addr', 'add', 'fd77::2/64', 'dev', 'w0', 'nodad');
    this.net.ip('node', 'route', 'add', 'default', 'via', '10.77.0.2');
    this.net.ip('node', '-6', 'route', 'add', 'default', 'via', 'fd77::2');
    this.addPod('manager');
  }

  /** Where the node's cgroups begin. */
  get prefix(): string {
    return this.#kubepods.prefix;
  }

  /** A pod on the node's network unless it is given another. */
  addPod(uid: string): void {
    this.#kubepods.addPod(uid, 'burstable', 100);
    this.#pods.push(uid);
    mkdirSync(this.cgroup(uid), { recursive: true });
  }

  /** The kubelet takes a pod away, when nothing runs in it any more. */
  removePod(uid: string): void {
    this.#kubepods.removePod(uid);
  }

  /** The pods' cgroups v2 are made anew, as by another kubelet; nothing may run in them. */
  renewKubepods(): void {
    const kubepods = join(this.#unified, this.#kubepods.prefix, 'kubepods');
    for (const uid of this.#pods) removeDirectory(this.cgroup(uid));
    for (const path of [join(kubepods, 'burstable'), kubepods]) removeDirectory(path);
    for (const uid of this.#pods) mkdirSync(this.cgroup(uid), { recursive: true });
  }

  /** The pod's cgroup v2 directory. */
  cgroup(uid: string): string {
    return join(this.#unified, this.#kubepods.prefix, 'kubepods', 'burstable', `pod${uid}`);
  }

  /** A process in a pod: nobody without any capability, or root; in the node's network namespace or another one. */
  peer(pod: string | undefined, { root = false, namespace = 'node' } = {}): Peer {
    return new Peer(
      this.#spawn(pod, namespace, [...(root ? [] : ['setpriv', ...NOBODY]), join(this.directory, 'peer')]),
    );
  }

  /** A program in a pod, as nobody, to its end; its stdout. */
  async run(pod: string, argv: string[]): Promise<string> {
    const child = this.#spawn(pod, 'node', ['setpriv', ...NOBODY, ...argv]);
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`"${argv.join(' ')}" ended with ${code}: ${output}`);
    return output;
  }

  /** Hands the socket of one process to another one, by SCM_RIGHTS. */
  async pass(from: Peer, to: Peer): Promise<void> {
    const path = join(this.directory, 'passed', String(this.#passed++));
    const said = await from.ask(`give ${path}`);
    if (said !== 'listening') throw new Error(`the descriptor was not given: ${said}`);
    chmodSync(path, 0o777);
    const answers = [await to.ask(`take ${path}`), await from.answer()];
    if (answers.some((answer) => answer !== 'ok')) throw new Error(`the descriptor was not passed: ${answers.join()}`);
  }

  /** As the node manager does it: a raw socket made by root in its pod, bound to its grant, passed on. */
  async giveRaw(manager: Peer, to: Peer, grant: Omit<RawGrant, 'generation'>): Promise<void> {
    const { generation } = await this.request<{ generation: number }>({ generation: grant.sliver });
    const made = await manager.all(`socket ${grant.family} raw ${grant.protocol}`, `option mark ${RAW_MARK}`);
    if (made !== 'ok') throw new Error(`no raw socket could be made: ${made}`);
    const [pid, fd] = (await manager.ask('fd')).split(' ').map(Number);
    await this.request({ mark: { pid: pid!, fd: fd!, grant: { ...grant, generation } } });
    await this.pass(manager, to);
    await manager.ask('close');
  }

  /** The guard, in the node manager's pod or in none; `program`: another one that has it. */
  start({
    pod = 'manager',
    tc = false,
    program = new URL('guard-process.ts', import.meta.url).pathname,
  }: { pod?: string | null; tc?: boolean; program?: string } = {}): void {
    const argv = [process.execPath, program, this.#kubepods.prefix, join(this.directory, 'bpf'), ...(tc ? ['tc'] : [])];
    const child = this.#spawn(pod ?? undefined, 'node', argv);
    this.#guard = { child, lines: createInterface({ input: child.stdout! }) };
  }

  async kill(): Promise<void> {
    const { child } = this.#guard!;
    this.#guard = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  enforce(desired: Desired): Promise<EnforcerReport> {
    return this.request<EnforcerReport>({ enforce: desired });
  }

  async counters(number: number): Promise<SliverCounters | undefined> {
    const all = await this.request<GuardReplies['counters']>({ counters: true });
    return new Map(all).get(number);
  }

  async drain(): Promise<GuardReplies['drain']> {
    return await this.request<GuardReplies['drain']>({ drain: true });
  }

  async request<T>(request: GuardRequest | { scrape: number }): Promise<T> {
    const { child, lines } = this.#guard!;
    const reply = once(lines, 'line') as Promise<[string]>;
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    const value = JSON.parse((await reply)[0]) as T & { error?: string };
    if (value.error !== undefined) throw new Error(value.error);
    return value;
  }

  async remove(): Promise<void> {
    await this.net.remove();
    const bpf = join(this.directory, 'bpf');
    if (isBpffs(readFileSync('/proc/self/mountinfo', 'utf8'), bpf)) execFileSync('umount', [bpf]);
    rmSync(this.directory, { recursive: true });
    this.#kubepods.remove();
    const { prefix, version } = this.#kubepods;
    if (version === 2) return;
    const kubepods = join(this.#unified, prefix, 'kubepods');
    const left = [
      ...this.#pods.map((uid) => this.cgroup(uid)),
      `${kubepods}/burstable`,
      kubepods,
      join(kubepods, '..'),
    ];
    for (const path of left) removeDirectory(path);
  }

  #spawn(pod: string | undefined, namespace: string, argv: string[]): ChildProcess {
    const into = pod === undefined ? '' : `echo $$ > ${join(this.cgroup(pod), 'cgroup.procs')} && `;
    const script = `${into}exec "$@"`;
    return this.net.spawn(namespace, ['sh', '-c', script, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  }
}
