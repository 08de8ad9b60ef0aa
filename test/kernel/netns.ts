/** Network namespaces of a test or benchmark: made under names of its own, and gone afterwards with all that ran there. */
import { type ChildProcess, type SpawnOptions, execFileSync, spawn } from 'node:child_process';

/** The namespaces of one run. Every process is started through it, and ended by its own pid. */
export class Namespaces {
  readonly #prefix: string;
  readonly #names: string[] = [];
  readonly #children = new Set<ChildProcess>();

  /** `prefix`: short, since interface names have 15 characters. */
  constructor(prefix: string) {
    this.#prefix = `${prefix}${process.pid % 10_000}`;
  }

  /** The namespace's full name, under which `ip netns` knows it. */
  name(short: string): string {
    return `${this.#prefix}-${short}`;
  }

  add(short: string): void {
    execFileSync('ip', ['netns', 'add', this.name(short)]);
    this.#names.push(this.name(short));
    this.ip(short, 'link', 'set', 'lo', 'up');
  }

  /** A pair of interfaces between two namespaces, each with an address in CIDR form. */
  link(a: [string, string, string], b: [string, string, string]): void {
    const [first, second] = [this.name(a[0]), this.name(b[0])];
    const veth = ['add', 'name', a[1], 'netns', first, 'type', 'veth', 'peer', 'name', b[1], 'netns', second];
    execFileSync('ip', ['link', ...veth]);
    for (const [namespace, dev, address] of [a, b]) {
      this.ip(namespace, 'addr', 'add', address, 'dev', dev, ...(address.includes(':') ? ['nodad'] : []));
      this.ip(namespace, 'link', 'set', dev, 'up');
    }
  }

  ip(short: string, ...args: string[]): void {
    execFileSync('ip', ['-n', this.name(short), ...args]);
  }

  /** Runs a program in the namespace to its end and returns its stdout. It keeps /sys, unlike with `ip netns exec`. */
  run(short: string, argv: string[], input = ''): string {
    return execFileSync('nsenter', this.#enter(short, argv), { encoding: 'utf8', input });
  }

  spawn(short: string, argv: string[], options: SpawnOptions = { stdio: 'ignore' }): ChildProcess {
    const child = spawn('nsenter', this.#enter(short, argv), options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Ends what was started here and removes the namespaces, and with them every interface, qdisc and table. */
  async remove(): Promise<void> {
    const ended = [...this.#children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
    for (const name of this.#names.splice(0)) execFileSync('ip', ['netns', 'del', name]);
  }

  #enter(short: string, argv: string[]): string[] {
    return [`--net=/run/netns/${this.name(short)}`, '--', ...argv];
  }
}
