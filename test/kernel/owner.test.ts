/** What the owner says on the node, down to the kernel: the command's own process, its files, a pod's cgroup, the tree. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { egressLimitOf, policyOf } from '../../node-daemonset/admission/policy.ts';
import { EMPTY_STATE, loadCheckpoint } from '../../node-daemonset/checkpoint.ts';
import { createFreezeEnforcer, type FreezeEnforcer } from '../../node-daemonset/freeze/apply.ts';
import { OrderFiles } from '../../node-daemonset/owner/orders.ts';
import { holdsOf } from '../../node-daemonset/restraint.ts';
import { PENALTY_MS, planStandings } from '../../node-daemonset/standing.ts';
import { StateStore } from '../../node-daemonset/state.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { granted, NOW, pod as podOf, right } from '../node-daemonset/rights.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { Namespaces } from './netns.ts';
import { SliverPod } from './sliver-pod.ts';

const MAIN = fileURLToPath(new URL('../../node-daemonset/owner/main.ts', import.meta.url));
const rcap = right('r');

describe('the owner’s command and the kernel', () => {
  let directory: string;
  let pod: SliverPod;
  let freeze: FreezeEnforcer;
  let store: StateStore;
  let files: OrderFiles;
  let manager: NodeJS.Timeout | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'slice-node-'));
    pod = new SliverPod();
    pod.addContainer('app');
    freeze = createFreezeEnforcer({ prefix: pod.prefix, pollMs: 20 });
    files = new OrderFiles(join(directory, 'owner'));
    start();
  });
  afterEach(async () => {
    clearInterval(manager);
    freeze.close();
    await pod.remove();
    rmSync(directory, { recursive: true });
  });

  /** A node manager that is no more than its files, as after a restart without an API server. */
  const start = (): void => {
    clearInterval(manager);
    const path = join(directory, 'checkpoint.json');
    const known = { ...EMPTY_STATE, ledger: granted(rcap), pods: [podOf(pod.uid, rcap)] };
    const { state } = loadCheckpoint(path, NOW);
    store = new StateStore(path, state.pods.length > 0 ? state : known);
    manager = setInterval(() => store.accept({ orders: files.read() }), 50);
  };
  /** A pass over the freezer, as long after the last as a penalty takes. */
  let now = NOW;
  const pass = async (): Promise<string> => {
    now += PENALTY_MS;
    const { pods, ledger } = store.get();
    const { slivers, pods: next } = planStandings(pods, ledger, [], now, undefined, holdsOf(store.get()));
    store.accept({ pods: next });
    await freeze.enforce({ ...pod.desired(), slivers }, new AbortController().signal);
    return slivers[0]!.standing;
  };
  const sliceNode = async (...argv: string[]): Promise<string> => {
    const env = { ...process.env, NODE_NAME: 'node1', NAMESPACE: 'slices', STATE_DIR: directory };
    return (await promisify(execFile)(process.execPath, [MAIN, ...argv], { env, timeout: 60_000 })).stdout;
  };
  const ticks = ({ pid }: ChildProcess): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13]);
  /** Within a second unless told. */
  const progress = async (child: ChildProcess, most = 100): Promise<boolean> => {
    const before = ticks(child);
    for (let i = 0; i < most && ticks(child) === before; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    return ticks(child) > before;
  };
  const frozen = (): boolean => /FROZEN|FREEZING|^1$/.test(pod.read('freezer', 'freezer.state', 'cgroup.freeze'));

  it('stops what runs of a suspended slice, also after a restart, until it is resumed', async () => {
    const child = await pod.start('exec bash -c "while :; do :; done"', 'app');
    assert.equal(await pass(), 'entitled');
    assert.match(await sliceNode('suspend', 'team/measure', 'too', 'loud'), /its pod here is held down/);
    assert.deepEqual([await pass(), await pass()], ['penalised', 'frozen']);
    assert.ok(frozen());
    // a freezer stops what runs when it is its turn to run
    const isStopped = (): boolean => /FROZEN|^frozen 1$/m.test(pod.read('freezer', 'freezer.state', 'cgroup.events'));
    for (let i = 0; i < 1500 && !isStopped(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await progress(child), false);
    start();
    assert.equal(await pass(), 'frozen');
    await sliceNode('resume', 'team/measure');
    assert.equal(await pass(), 'entitled');
    assert.equal(frozen(), false);
    assert.equal(await progress(child, 3000), true);
  });

  it('holds all slices to the cap, each guarantee in proportion, and gives back what there was', async () => {
    const net = new Namespaces('soo');
    try {
      net.add('node');
      net.add('world');
      net.link(['node', 'upl0', '10.88.0.1/24'], ['world', 'w0', '10.88.0.2/24']);
      const enforcer = new RemoteEnforcer(net, 'node');
      const slivers = [
        makeSliver('a', { egressGuarantee: 30e6, egressLimit: 50e6 }, { classId: 0x101 }),
        makeSliver('b', { egressGuarantee: 10e6, egressLimit: 50e6 }, { classId: 0x102 }),
      ];
      /** As `tc` shows it: the class of all slivers, and one of them. */
      const shape = async (): Promise<string[]> => {
        const policy = policyOf({ egressLimit: '100M' }, files.read().cap?.egressLimit);
        const facts = { lines: [{ interface: 'upl0', rate: 120e6 }], egressLimit: egressLimitOf(policy) };
        const { problems } = await enforcer.enforce(makeDesired(slivers, facts));
        const shown = net.run('node', ['tc', 'class', 'show', 'dev', 'upl0']);
        const rates = ['1:10', '1:101', '1:102'].map((id) => {
          const [, rate, ceil] = new RegExp(`class htb ${id} .*?rate (\\S+) ceil (\\S+)`).exec(shown)!;
          return `${rate} ${ceil}`;
        });
        return [...rates, ...problems.map(({ reason }) => reason)];
      };
      const whole = ['100Mbit 100Mbit', '30Mbit 50Mbit', '10Mbit 50Mbit'];
      assert.deepEqual(await shape(), whole);
      assert.match(await sliceNode('cap', '20Mbit'), /at most 20 Mbit\/s/);
      const [all, first, second, problem] = await shape();
      assert.equal(all, '20Mbit 20Mbit');
      assert.match(first!, /^(15Mbit|1499\dKbit|149\d\dKbit) 20Mbit$/);
      assert.match(second!, /^(5Mbit|499\dKbit) 20Mbit$/);
      assert.equal(problem, 'EgressOvercommitted');
      await sliceNode('cap', 'none');
      assert.deepEqual(await shape(), whole);
    } finally {
      await net.remove();
    }
  });
});
