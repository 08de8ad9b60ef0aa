/** `bench -- egress`: what slivers send under contention, by the byte counters of their classes. */
import { constants, getPriority, setPriority } from 'node:os';
import type { Amounts } from '../../crds/rspec.ts';
import type { Sliver } from '../../node-daemonset/sliver.ts';
import { RemoteEnforcer } from '../kernel/enforcer.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { limitByCni } from './egress/cni.ts';
import { type Load, PODS, type Pod, type Source, World } from './egress/world.ts';
import { compilePrograms } from './load/compile.ts';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';

/** Mbit/s: the line, and what its owner lets all slivers send together; the rest is the node's own. */
const LINE = 120;
const OWNERS_LIMIT = 100;
const NODE_GUARANTEE = LINE - OWNERS_LIMIT;
const CLASS_OF = { node: 0x2, slivers: 0x10, a: 0x101, b: 0x102, c: 0x103 };
/** Every source by itself would fill the line. */
const FLOOD: Load = { udp: LINE };
/** Percent: guarantees of 20, 10 and 5 share what is there as 4:2:1. */
const DUE = { a: 57.1, b: 28.6, c: 14.3 };

/** Guarantee and limit of a pod's sliver, in Mbit/s. */
type Promised = Partial<Record<Pod, [number, number]>>;

class EgressBench {
  readonly #world: World;
  readonly #enforcer: RemoteEnforcer;
  readonly #report: Report;

  constructor(world: World, enforcer: RemoteEnforcer, report: Report) {
    this.#world = world;
    this.#enforcer = enforcer;
    this.#report = report;
  }

  /** Through the project's own enforcer; fails where it reports a problem. */
  async promise(promised: Promised): Promise<void> {
    const slivers = Object.entries(promised).map(([pod, [guarantee, limit]]): Sliver => {
      const amounts: Partial<Amounts> = { egressGuarantee: guarantee * 1e6, egressLimit: limit * 1e6 };
      const { [pod as Pod]: classId } = CLASS_OF;
      return makeSliver(pod, amounts, {
        classId,
        addresses: [this.#world.address(pod as Pod)],
        interfaces: [`h${pod}`],
      });
    });
    const facts = { lines: [{ interface: 'upl0', rate: LINE * 1e6 }], egressLimit: OWNERS_LIMIT * 1e6 };
    const { problems } = await this.#enforcer.enforce(makeDesired(slivers, facts));
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
  }

  async limit(): Promise<void> {
    await this.promise({ a: [0.005, 10] });
    for (const [kind, load] of [
      ['TCP', { tcp: 1 }],
      ['UDP', FLOOD],
    ] as const) {
      const rates = await this.#world.measure({ a: load });
      this.#rate(`limit 10, ${kind}`, rates.get(CLASS_OF.a)!, { min: 9.8, max: 10.1 });
    }
  }

  async guarantee(): Promise<void> {
    await this.promise({ a: [30, 100], b: [35, 100], c: [35, 100] });
    for (const [kind, load] of [
      ['8 TCP flows', { tcp: 8 }],
      ['UDP', FLOOD],
    ] as const) {
      const rates = await this.#world.measure({ a: load, b: FLOOD, c: FLOOD });
      this.#rate(`guarantee 30 of 100 against two UDP floods, ${kind}`, rates.get(CLASS_OF.a)!, { min: 29.5 });
    }
  }

  /** Excess by guarantee, the owner's limit on all, and the node's own traffic beside them. */
  async proportion(kind: string, loads: Record<Pod, Load>, node: Load): Promise<void> {
    await this.promise({ a: [20, 100], b: [10, 100], c: [5, 100] });
    const rates = await this.#world.measure({ ...loads, node }, { seconds: 12, settle: 5 });
    const all = rates.get(CLASS_OF.slivers)!;
    for (const pod of PODS) {
      const value = (rates.get(CLASS_OF[pod])! / all) * 100;
      const bar = { min: DUE[pod] - 3, max: DUE[pod] + 3 };
      this.#report({ name: `excess 20:10:5, ${kind}, sliver ${pod}`, value, unit: '% of all slivers', bar });
    }
    this.#rate(`owner's limit of 100, ${kind}`, all, { min: OWNERS_LIMIT * 0.98, max: OWNERS_LIMIT * 1.02 });
    this.#rate(`node's own ${NODE_GUARANTEE} meanwhile, ${kind}`, rates.get(CLASS_OF.node)!, {
      min: NODE_GUARANTEE * 0.98,
    });
  }

  /** One flow beside full neighbours has the bar; a sliver that overfills its own queue waits for itself, as measured. */
  async delay(): Promise<void> {
    await this.promise({ a: [10, 10], b: [45, 100], c: [45, 100] });
    const own = [
      { kind: '1 TCP flow', load: { tcp: 1 }, bar: { max: 50 } },
      {
        kind: '8 TCP flows',
        load: { tcp: 8 },
        note: 'its own queue holds 100 ms of its limit, and 8 flows keep it full',
      },
    ];
    for (const { kind, load, ...rest } of own) {
      let times: number[] = [];
      const meanwhile = async (): Promise<void> => void (times = await this.#world.probe('a', 10));
      await this.#world.measure({ a: load, b: FLOOD, c: FLOOD, node: FLOOD }, { seconds: 12, meanwhile });
      const name = `queueing delay p50, guarantee = limit = 10, ${kind}, line full`;
      this.#report({ name, value: percentile(times, 50), unit: 'ms', ...rest });
    }
  }

  /** The same floods with the CNI's bandwidth plugin on the same line: what it cannot do. */
  async cni(): Promise<void> {
    await this.#enforcer.release();
    // The wire itself, which has no more than the line's rate.
    const wire = ['root', 'tbf', 'rate', `${LINE}mbit`, 'burst', '32k', 'limit', '1m'];
    this.#world.net.run('node', ['tc', 'qdisc', 'add', 'dev', 'upl0', ...wire]);
    for (const pod of PODS) limitByCni(this.#world, pod, OWNERS_LIMIT);
    const received = await this.#received({ a: { tcp: 8 }, b: FLOOD, c: FLOOD, node: FLOOD });
    this.#report({
      name: 'CNI bandwidth plugin, same load: guarantee 30 of 100, 8 TCP flows',
      value: received,
      unit: 'Mbit/s',
      note: 'it limits each pod by itself and knows no guarantee, no proportion, no limit on all pods together and no share of the node: two floods take the line',
    });
  }

  /** What pod a's interface sent, at layer 2, since there is no class to ask. */
  async #received(loads: Partial<Record<Source, Load>>): Promise<number> {
    const bytes = (): number =>
      Number(this.#world.net.run('a', ['cat', '/proc/net/dev']).match(/eth0:(?:\s+\d+){8}\s+(\d+)/)?.[1]);
    let rate = NaN;
    const meanwhile = async (): Promise<void> => {
      const [before, started] = [bytes(), performance.now()];
      await new Promise((resolve) => setTimeout(resolve, 8000));
      rate = ((bytes() - before) * 8) / (performance.now() - started) / 1000;
    };
    await this.#world.measure(loads, { meanwhile });
    return rate;
  }

  #rate(name: string, value: number, bar: { min?: number; max?: number }): void {
    this.#report({ name, value, unit: 'Mbit/s', bar });
  }
}

export const bench: Bench = {
  about:
    'limit, guarantee, proportion, delay of egress, 3 minutes; root, tc, nft, iperf3, gcc, containernetworking-plugins',

  async run(report, progress) {
    // Before every other program: a source that gets no CPU would look like one that gets no bandwidth.
    const priority = getPriority();
    setPriority(constants.priority.PRIORITY_HIGHEST);
    const programs = compilePrograms();
    const world = new World(programs);
    try {
      await world.build();
      const run = new EgressBench(world, new RemoteEnforcer(world.net, 'node'), report);
      progress('limit');
      await run.limit();
      progress('guarantee');
      await run.guarantee();
      progress('excess in proportion');
      await run.proportion('UDP', { a: FLOOD, b: FLOOD, c: FLOOD }, FLOOD);
      await run.proportion('8 TCP flows', { a: { tcp: 8 }, b: { tcp: 8 }, c: { tcp: 8 } }, { tcp: 8 });
      await run.proportion('1 TCP flow', { a: { tcp: 1 }, b: { tcp: 1 }, c: { tcp: 1 } }, { tcp: 1 });
      await run.proportion('UDP GSO in c', { a: FLOOD, b: FLOOD, c: { ...FLOOD, segments: 40 } }, FLOOD);
      progress('queueing delay');
      await run.delay();
      progress('CNI bandwidth plugin');
      await run.cni();
    } finally {
      await world.net.remove();
      programs.remove();
      setPriority(priority);
    }
  },
};
