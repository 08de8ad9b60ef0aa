import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { amounts } from '../../crds/rspec.ts';
import { createLimitsEnforcer } from '../../node-daemonset/limits/apply.ts';
import { SliverPod } from './sliver-pod.ts';

describe('limits in the kernel', () => {
  let pod: SliverPod;
  const signal = new AbortController().signal;
  beforeEach(() => {
    pod = new SliverPod();
  });
  afterEach(() => pod.remove());

  const enforce = (
    resources: Parameters<typeof amounts>[0],
  ): ReturnType<ReturnType<typeof createLimitsEnforcer>['enforce']> =>
    createLimitsEnforcer({ prefix: pod.prefix }).enforce(pod.desired({ amounts: amounts(resources) }), signal);
  const memory = (): string => pod.read('memory', 'memory.limit_in_bytes', 'memory.max');

  it('are written once, renewed and lifted', async () => {
    const none = memory();
    assert.deepEqual(await enforce({ memory: '100M', processes: 50 }), { writes: 2, problems: [] });
    assert.equal(Number(memory()), Math.floor(100e6 / 4096) * 4096);
    assert.equal(pod.read('pids', 'pids.max'), '50');
    assert.deepEqual(await enforce({ memory: '100M', processes: 50 }), { writes: 0, problems: [] });
    assert.deepEqual(await enforce({ memory: '200M', processes: 60 }), { writes: 1, problems: [] }, 'only lowered');
    const neighbour = '0b5c6a1e-0000-4000-8000-000000000002';
    const directories = ['cpu', 'pids', 'memory', 'freezer'].map((name) => pod.path(name, '..', `pod${neighbour}`));
    for (const directory of new Set(directories)) mkdirSync(directory, { recursive: true });
    writeFileSync(pod.path('pids', '..', `pod${neighbour}`, 'pids.max'), '1024');
    assert.deepEqual(await enforce({ memory: '200M', processes: 60 }), { writes: 1, problems: [] });
    assert.deepEqual(await enforce({ memory: '200M', processes: 5000 }), { writes: 1, problems: [] });
    assert.equal(pod.read('pids', 'pids.max'), '1024', 'no more than the kubelet gives a pod');
    for (const directory of new Set(directories)) rmdirSync(directory);
    assert.deepEqual(await enforce({}), { writes: 1, problems: [] });
    assert.equal(memory(), none);
  });

  it('hold', async () => {
    await enforce({ memory: '32Mi', processes: 8 });
    const hog = await pod.start('tail /dev/zero');
    const [, by] = await new Promise<[number | null, string | null]>((resolve) =>
      hog.once('exit', (code, signalName) => resolve([code, signalName])),
    );
    assert.ok(by === 'SIGKILL' || hog.exitCode === 137, `ended by ${by} ${hog.exitCode}`);
    const bomb = await pod.start('for i in $(seq 30); do sleep 100 & done 2>/dev/null; sleep 100');
    for (let i = 0; i < 1500 && Number(pod.read('pids', 'pids.current')) < 8; i++)
      await new Promise((r) => setTimeout(r, 20));
    assert.ok(Number(pod.read('pids', 'pids.current')) <= 8);
    for (let i = 0; i < 1500 && !/max [1-9]/.test(pod.read('pids', 'pids.events')); i++)
      await new Promise((r) => setTimeout(r, 20));
    assert.match(pod.read('pids', 'pids.events'), /max [1-9]/);
    bomb.kill('SIGKILL');
    for (const pid of pod.read('pids', 'cgroup.procs').split('\n')) if (pid) process.kill(Number(pid), 'SIGKILL');
  });

  it('bound the open files of every process, and are renewed', async () => {
    await pod.start('{ sleep 100 & sleep 100; true; }');
    const count = (): number => pod.read('pids', 'cgroup.procs').split('\n').filter(Boolean).length;
    for (let i = 0; i < 1500 && count() < 3; i++) await new Promise((r) => setTimeout(r, 20));
    const limits = (): string[] =>
      pod
        .read('pids', 'cgroup.procs')
        .split('\n')
        .flatMap((pid) => (pid ? [/^Max open files.*$/m.exec(readLimits(pid))?.[0] ?? 'ended'] : []))
        .filter((line) => line !== 'ended');
    assert.ok((await enforce({ openFiles: 20 })).writes > 0);
    assert.equal((await enforce({ openFiles: 20 })).problems.length, 0);
    const bounded = limits();
    assert.ok(bounded.length >= 3 && bounded.every((line) => / 20 +20 +files/.test(line)), bounded.join());
    const renewed = await enforce({ openFiles: 40 });
    // some machines keep even root from raising a limit; then it is said, and the lower one stays
    const mayRaise = hasCapability(CAP_SYS_RESOURCE);
    assert.deepEqual(
      renewed.problems.map(({ reason }) => reason),
      mayRaise ? [] : ['LimitNotSet'],
    );
    const after = limits();
    assert.ok(
      after.every((line) => (mayRaise ? / 20 +40 +files/ : / 20 +20 +files/).test(line)),
      after.join(),
    );
    assert.match((await enforce({ openFiles: 2 ** 31 })).problems[0]!.message, /RLIMIT_NOFILE of process/);
    for (const pid of pod.read('pids', 'cgroup.procs').split('\n')) if (pid) process.kill(Number(pid), 'SIGKILL');
  });

  it('wait for a pod that has no cgroup yet', async () => {
    const enforcer = createLimitsEnforcer({ prefix: pod.prefix });
    const desired = pod.desired({ id: 'not-there', amounts: amounts({ memory: '1Mi' }) });
    assert.deepEqual(await enforcer.enforce(desired, signal), { writes: 0, problems: [] });
  });
});

const CAP_SYS_RESOURCE = 24n;

function hasCapability(capability: bigint): boolean {
  const mask = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
  return (BigInt(`0x${mask}`) & (1n << capability)) !== 0n;
}

function readLimits(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/limits`, 'utf8');
  } catch {
    return '';
  }
}
