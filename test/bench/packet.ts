/** `bench -- packet`: what the programs in the kernel cost a packet, by the number of slivers that they know. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import type { Desired } from '../../node-daemonset/sliver.ts';
import type { GuardReplies } from '../kernel/guard-process.ts';
import { GuardedNode, type Peer } from '../kernel/guarded.ts';
import { hostSliver, tcp, udp } from '../kernel/host-sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';

/** Slivers that the programs know; 0: no programs. */
const SIZES = [0, 1, 100, 1000] as const;
type Size = (typeof SIZES)[number];
/** Each size in each round, so that what else this machine does falls on all of them. */
const ROUNDS = 9;
const PACKETS = 100_000;
const PAYLOAD = 64;
/** Slivers that send at the same time, where there are so many. */
const SENDERS = 2;
const STATS = '/proc/sys/kernel/bpf_stats_enabled';

/** By the clock on the wall, which others share, and by what the senders used of the CPU. */
interface Sent {
  /** Packets a second. */
  rate: number;
  /** Nanoseconds a packet. */
  cpu: number;
}

const uid = (n: number): string => `s${n}`;

class PacketBench {
  readonly #node = new GuardedNode();
  readonly #report: Report;
  #peers: Peer[] = [];
  #second: Peer | undefined;

  constructor(report: Report) {
    this.#report = report;
  }

  async build(): Promise<void> {
    for (let n = 1; n <= Math.max(...SIZES); n++) this.#node.addPod(uid(n));
    this.#node.start();
    this.#peers = Array.from({ length: SENDERS }, (_, i) => this.#node.peer(uid(i + 1)));
    this.#node.net.run('world', ['ip', 'route', 'add', 'blackhole', '10.99.0.0/16']);
    this.#node.net.run('node', ['ip', 'route', 'add', '10.99.0.0/16', 'via', '10.77.0.2']);
  }

  async costs(progress: (what: string) => void): Promise<void> {
    const rounds = new Map<Size, Sent[]>(SIZES.map((size) => [size, []]));
    for (let round = 1; round <= ROUNDS; round++) {
      progress(`packets, round ${round} of ${ROUNDS}`);
      for (const size of SIZES) {
        await this.#know(size);
        rounds.get(size)!.push(await this.#send(size));
      }
    }
    const median = (size: Size, of: keyof Sent): number =>
      percentile(
        rounds.get(size)!.map((sent) => sent[of]),
        50,
      );
    for (const size of SIZES) {
      const name = size === 0 ? 'UDP without programs' : `UDP with ${size} sliver${size === 1 ? '' : 's'}`;
      this.#report({ name, value: median(size, 'rate'), unit: 'packets/s' });
      this.#report({ name: `${name}, CPU time of the sender`, value: median(size, 'cpu'), unit: 'ns/packet' });
    }
    const ratio = (size: Size): number => median(1000, 'cpu') / median(size, 'cpu');
    this.#report({ name: 'cost of a packet, 1000 slivers to 1', value: ratio(1), unit: 'x', bar: { max: 1.1 } });
    this.#report({ name: 'cost of a packet, 1000 slivers to no programs', value: ratio(0), unit: 'x' });
  }

  async throughput(): Promise<void> {
    for (const size of SIZES) {
      await this.#know(size);
      const listening = this.#node.net.spawn('world', ['iperf3', '-s', '-1', '--forceflush'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(listening.stdout!, 'data');
      const output = await this.#node.run(uid(1), ['iperf3', '-J', '-t', '4', '-O', '1', '-c', '10.77.0.2']);
      const { end } = JSON.parse(output) as { end: { sum_received: { bits_per_second: number } } };
      const name = size === 0 ? 'TCP without programs' : `TCP with ${size} sliver${size === 1 ? '' : 's'}`;
      this.#report({ name, value: end.sum_received.bits_per_second / 1e6, unit: 'Mbit/s' });
    }
  }

  /** By the kernel's own clock, which is itself in every figure. */
  async programs(): Promise<void> {
    await this.#know(1000);
    const before = readFileSync(STATS, 'utf8').trim();
    execFileSync('sysctl', ['-qw', 'kernel.bpf_stats_enabled=1']);
    try {
      await this.#send(1000);
      const programs = await this.#node.request<GuardReplies['programs']>({ programs: true });
      for (const { name, runs, ns } of programs) {
        if (runs < PACKETS) continue;
        this.#report({ name: `${name} with 1000 slivers`, value: ns / runs, unit: 'ns/packet', note: `${runs} runs` });
      }
    } finally {
      execFileSync('sysctl', ['-qw', `kernel.bpf_stats_enabled=${before}`]);
    }
  }

  async remove(): Promise<void> {
    await this.#node.remove();
  }

  async #know(size: Size): Promise<void> {
    if (size === 0) return void (await this.#node.request({ release: true }));
    const { problems } = await this.#node.enforce(desired(size));
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    await this.#node.drain();
  }

  /** Of one sliver there are two senders. */
  async #send(size: Size): Promise<Sent> {
    const one = this.#peers[0]!;
    const peers = size === 1 ? [one, (this.#second ??= this.#node.peer(uid(1)))] : this.#peers;
    for (const peer of peers) {
      const answer = await peer.ask('socket 4 dgram 17');
      if (answer !== 'ok') throw new Error(`no socket: ${answer}`);
    }
    const began = performance.now();
    const used = peers.map(cpuTime);
    const sent = await Promise.all(peers.map((peer) => peer.ask(`many 10.99.0.1 9 ${PACKETS} ${PAYLOAD}`)));
    const seconds = (performance.now() - began) / 1000;
    const all = sent.reduce((sum, count) => sum + Number(count), 0);
    if (all !== SENDERS * PACKETS) throw new Error(`only ${all} packets were sent`);
    const cpu = peers.reduce((sum, peer, i) => sum + cpuTime(peer) - used[i]!, 0);
    return { rate: all / seconds, cpu: cpu / all };
  }
}

/** Nanoseconds of CPU that the process has used; proc_pid_schedstat. */
function cpuTime({ child }: Peer): number {
  return Number(readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ')[0]);
}

function desired(size: number): Desired {
  const slivers = Array.from({ length: size }, (_, i) =>
    hostSliver(uid(i + 1), i + 1, { ports: [tcp(10_000 + i), udp(10_000 + i)] }),
  );
  return makeDesired(slivers);
}

export const bench: Bench = {
  about:
    'packets/s, throughput and ns/packet of the guard with 1, 100 and 1000 slivers, 2 minutes; root, clang, gcc, iperf3',

  async run(report, progress) {
    progress('1000 pods');
    const run = new PacketBench(report);
    try {
      await run.build();
      await run.costs(progress);
      progress('throughput');
      await run.throughput();
      progress('time of each program');
      await run.programs();
    } finally {
      await run.remove();
    }
  },
};
