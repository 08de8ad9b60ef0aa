/** Flows out of the kernel: how fast, and whether every byte that the line carried is in them. */
import { once } from 'node:events';
import { REST } from '../../../node-daemonset/bpf/flows.ts';
import type { Desired } from '../../../node-daemonset/sliver.ts';
import { RemoteEnforcer } from '../../kernel/enforcer.ts';
import type { GuardReplies } from '../../kernel/guard-process.ts';
import { GuardedNode, type Peer } from '../../kernel/guarded.ts';
import { hostSliver, tcp, udp } from '../../kernel/host-sliver.ts';
import { makeDesired } from '../../node-daemonset/desired.ts';
import { percentile } from '../percentile.ts';
import type { Report } from '../report.ts';

type Flows = GuardReplies['drain']['flows'];

const FLOWS = 50_000;
const ROUNDS = 5;
const SECONDS = 10;
/** HTB's root: what the line carried. */
const LINE_CLASS = 1;

class DrainBench {
  readonly node = new GuardedNode();
  readonly #report: Report;
  readonly #peers: Record<'a' | 'b', Peer>;

  constructor(report: Report) {
    this.#report = report;
    for (const pod of ['a', 'b']) this.node.addPod(pod);
    this.node.net.run('world', ['ip', 'route', 'add', 'blackhole', '10.99.0.0/16']);
    this.node.net.run('node', ['ip', 'route', 'add', '10.99.0.0/16', 'via', '10.77.0.2']);
    this.node.start();
    this.#peers = { a: this.node.peer('a'), b: this.node.peer('b') };
  }

  desired(): Desired {
    const all = { egressGuarantee: 400e6, egressLimit: 1e9 };
    const slivers = [
      hostSliver('a', 1, { ...all, ports: [tcp(7000), udp(7000)] }),
      hostSliver('b', 2, { ...all, ports: [udp(7001)] }),
    ];
    return makeDesired(slivers, { lines: [{ interface: 'upl0', rate: 1e9 }], egressLimit: 900e6 });
  }

  async bind(): Promise<void> {
    const { problems } = await this.node.enforce(this.desired());
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    await this.#peers.a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000');
    await this.#peers.b.all('socket 4 dgram 17', 'bind 10.77.0.1 7001');
  }

  async drain(): Promise<void> {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await this.node.drain();
      await this.#peers.a.ask(`scan 10.99.0.1 1 ${FLOWS} 10`);
      const { flows, ms } = await this.node.drain();
      const found = flows.filter((one) => one.sliver === 1 && one.protocol === 17).length;
      if (found !== FLOWS) throw new Error(`${found} flows of ${FLOWS}`);
      times.push(ms);
    }
    this.#report({ name: `drain of ${FLOWS} flows`, value: percentile(times, 50), unit: 'ms', bar: { max: 100 } });
  }

  /** One sliver scans for as long as the other one sends 1000 flows, again and again. */
  async scan(): Promise<void> {
    await this.node.drain();
    const scans = Promise.all([1, 2, 3, 4].map((n) => this.#peers.a.ask(`scan 10.99.0.${n} 1 65535 10`)));
    await this.#peers.b.ask('scan 10.99.1.1 1 1000 10');
    const sent = (await scans).reduce((sum, count) => sum + Number(count), 0);
    const { flows } = await this.node.drain();
    const theirs = flows.filter((one) => one.sliver === 2 && one.protocol !== REST);
    const mine = flows.filter((one) => one.sliver === 1);
    const bytes = mine.reduce((sum, one) => sum + one.bytes, 0);
    this.#report({
      ...{ name: 'flows lost by the neighbour of a sliver that scans', value: 1000 - theirs.length, unit: 'flows' },
      ...{ bar: { max: 0 }, note: `it tried ${sent} flows and got ${mine.length - 1} rows` },
    });
    const lost = sent * (14 + 20 + 8 + 10) - bytes;
    this.#report({ name: 'bytes lost by the sliver that scans', value: lost, unit: 'bytes', bar: { min: 0, max: 0 } });
  }

  /** TCP, UDP and UDP in one packet for many, of two slivers and the node itself, far below the line's rate. */
  async sum(): Promise<void> {
    const { net } = this.node;
    const egress = new RemoteEnforcer(net, 'node');
    try {
      await egress.enforce(this.desired());
      await this.node.drain();
      const before = await this.#line(egress);
      const server = net.spawn('world', ['iperf3', '-s', '-1', '--forceflush'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(server.stdout!, 'data');
      const load = this.node.run('a', ['iperf3', '-t', String(SECONDS), '-b', '100M', '-c', '10.77.0.2']);
      const ends = performance.now() + SECONDS * 1000;
      let rows: Flows = [];
      await this.#peers.b.ask('option segment 1000');
      while (performance.now() < ends) {
        for (let i = 0; i < 20; i++) await this.#peers.b.ask('many 10.99.0.9 9 5 20000');
        net.run('node', ['ping', '-q', '-c', '5', '-i', '0.01', '10.77.0.2']);
        rows = rows.concat((await this.node.drain()).flows);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await load;
      rows = rows.concat((await this.node.drain()).flows);
      const line = (await this.#line(egress)) - before;
      const counted = rows.reduce((sum, one) => sum + one.bytes, 0);
      const value = Math.abs(counted / line - 1) * 100;
      const note = `${counted} bytes in flows, ${line} on the line, in ${SECONDS} s`;
      this.#report({ name: "flows against the line's own counter", value, unit: '%', bar: { max: 0.1 }, note });
    } finally {
      await egress.stop();
    }
  }

  async #line(egress: RemoteEnforcer): Promise<number> {
    await egress.enforce(this.desired());
    const counters = await egress.counters();
    const line = counters[String(LINE_CLASS)];
    if (!line) throw new Error(`no class of the line in ${JSON.stringify(counters)}`);
    return line.bytes;
  }
}

export async function measureDrain(report: Report, progress: (what: string) => void): Promise<void> {
  const run = new DrainBench(report);
  try {
    await run.bind();
    progress('drain');
    await run.drain();
    progress('a sliver that scans');
    await run.scan();
    progress('flows and the line');
    await run.sum();
  } finally {
    await run.node.remove();
  }
}
