/** A node with one uplink, three pods behind it and the world beyond: namespaces on this machine. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClassCounters, parseClasses } from '../../../node-daemonset/egress/tc.ts';
import { Namespaces } from '../../kernel/netns.ts';
import type { Programs } from '../load/compile.ts';

export const WORLD = '10.88.0.2';
export const PODS = ['a', 'b', 'c'] as const;
export type Pod = (typeof PODS)[number];
/** Where a load starts: in a pod, or as the node's own traffic. */
export type Source = Pod | 'node';

const SINK_PORT = 9;
const ECHO_PORT = 7;
const FIRST_TCP_PORT = 5201;

/** What one source sends: TCP flows, or UDP at a pace in Mbit/s, perhaps as GSO buffers of some datagrams. */
export type Load = { tcp: number } | { udp: number; segments?: number };

/** Owns the namespaces and every process in them. */
export class World {
  readonly net = new Namespaces('bench');
  readonly #programs: Programs;
  readonly #uplink = 'upl0';

  constructor(programs: Programs) {
    this.#programs = programs;
  }

  async build(): Promise<void> {
    for (const name of ['node', 'world', ...PODS]) this.net.add(name);
    this.net.link(['node', this.#uplink, '10.88.0.1/24'], ['world', 'w0', `${WORLD}/24`]);
    this.net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    for (const [i, pod] of PODS.entries()) {
      this.net.link(['node', `h${pod}`, `10.88.1${i}.1/24`], [pod, 'eth0', `${this.address(pod)}/24`]);
      this.net.ip(pod, 'route', 'add', 'default', 'via', `10.88.1${i}.1`);
      this.net.ip('world', 'route', 'add', `10.88.1${i}.0/24`, 'via', '10.88.0.1');
    }
    // Floods end here without an answer.
    this.net.run(
      'world',
      ['nft', '-f', '-'],
      `table inet sink { chain input { type filter hook input priority 0; udp dport ${SINK_PORT} drop; }; }\n`,
    );
    for (const [i] of [...PODS, 'node'].entries()) {
      this.net.spawn('world', ['iperf3', '-s', '-p', String(FIRST_TCP_PORT + i)]);
    }
    const echo = `require('dgram').createSocket('udp4').bind(${ECHO_PORT}).on('message', function (m, r) { this.send(m, r.port, r.address) })`;
    this.net.spawn('world', [process.execPath, '-e', echo]);
    await sleep(500);
  }

  address(pod: Pod): string {
    return `10.88.1${PODS.indexOf(pod)}.2`;
  }

  /** Counters of the uplink's classes, by minor. */
  counters(): Map<number, ClassCounters> {
    return parseClasses(this.net.run('node', ['tc', '-s', '-d', 'class', 'show', 'dev', this.#uplink]), new Map())
      .counters;
  }

  /** Starts a load; it sends until it is killed. */
  start(source: Source, load: Load): ChildProcess {
    if ('udp' in load) {
      const gso = load.segments === undefined ? [] : [String(load.segments)];
      return this.net.spawn(source, [this.#programs.path('flood'), WORLD, String(SINK_PORT), String(load.udp), ...gso]);
    }
    const port = String(FIRST_TCP_PORT + [...PODS, 'node'].indexOf(source));
    return this.net.spawn(source, ['iperf3', '-c', WORLD, '-p', port, '-P', String(load.tcp), '-t', '600']);
  }

  /** Runs loads side by side; Mbit/s at layer 2 of every class, measured over `seconds` once they have settled. */
  async measure(
    loads: Partial<Record<Source, Load>>,
    { seconds = 8, settle = 3, meanwhile }: { seconds?: number; settle?: number; meanwhile?: () => Promise<void> } = {},
  ): Promise<Map<number, number>> {
    const running = Object.entries(loads).map(([source, load]) => this.start(source as Source, load));
    try {
      await sleep(settle * 1000);
      const before = this.counters();
      const started = performance.now();
      await Promise.all([sleep(seconds * 1000), meanwhile?.()]);
      const after = this.counters();
      const elapsed = (performance.now() - started) / 1000;
      const failed = running.filter((child) => child.exitCode !== null);
      if (failed.length > 0) throw new Error(`a load ended before it was measured: ${failed[0]!.spawnargs.join(' ')}`);
      return new Map(
        [...after].map(([minor, { bytes }]) => [
          minor,
          ((bytes - (before.get(minor)?.bytes ?? 0)) * 8) / elapsed / 1e6,
        ]),
      );
    } finally {
      await Promise.all(
        running.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const ended = once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        }),
      );
      // iperf3's server notices the end of its client, and queues drain.
      await sleep(1000);
    }
  }

  /** Round-trip times in ms of small UDP packets from a pod, one every 20 ms. */
  async probe(pod: Pod, seconds: number): Promise<number[]> {
    const program = new URL('probe.ts', import.meta.url).pathname;
    const argv = [process.execPath, program, WORLD, String(ECHO_PORT), String(seconds)];
    const child = this.net.spawn(pod, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    return JSON.parse(text) as number[];
  }
}
