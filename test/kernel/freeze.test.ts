import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createFreezeEnforcer, type FreezeEnforcer } from '../../node-daemonset/freeze/apply.ts';
import { pendingEnd, processesOf } from '../../node-daemonset/processes.ts';
import type { Standing } from '../../node-daemonset/sliver.ts';
import { SliverPod } from './sliver-pod.ts';

const BUSY = 'exec bash -c "while :; do :; done"';

describe('freezing in the kernel', () => {
  let pod: SliverPod;
  let freeze: FreezeEnforcer;
  const signal = new AbortController().signal;
  beforeEach(() => {
    pod = new SliverPod();
    pod.addContainer('app');
    freeze = createFreezeEnforcer({ prefix: pod.prefix, pollMs: 20 });
  });
  afterEach(async () => {
    freeze.close();
    await pod.remove();
  });

  const enforce = (standing: Standing): ReturnType<FreezeEnforcer['enforce']> =>
    freeze.enforce(pod.desired({ standing }), signal);
  const frozen = (): boolean => /FROZEN|FREEZING|^1$/.test(pod.read('freezer', 'freezer.state', 'cgroup.freeze'));
  const ticks = ({ pid }: ChildProcess): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13]);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  /** A freezer stops what runs when it is its turn to run. */
  const whenStopped = async (): Promise<void> => {
    const stopped = (): boolean => /FROZEN|^frozen 1$/m.test(pod.read('freezer', 'freezer.state', 'cgroup.events'));
    for (let i = 0; i < 1500 && !stopped(); i++) await pause(20);
    assert.ok(stopped());
  };
  /** Within a second unless told. */
  const progress = async (child: ChildProcess, most = 100): Promise<boolean> => {
    const before = ticks(child);
    for (let i = 0; i < most; i++) {
      await pause(10);
      if (ticks(child) > before) return true;
    }
    return false;
  };
  const ended = (child: ChildProcess): Promise<string | null> =>
    new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));

  it('stops a pod without a right, once, and lets one with a right go on', async () => {
    const child = await pod.start(BUSY, 'app');
    assert.deepEqual(await enforce('penalised'), { writes: 0, problems: [] });
    assert.deepEqual(await enforce('frozen'), { writes: 1, problems: [] });
    await whenStopped();
    assert.ok(frozen());
    assert.equal(await progress(child), false);
    assert.deepEqual(await enforce('frozen'), { writes: 0, problems: [] });
    assert.deepEqual(await enforce('entitled'), { writes: 1, problems: [] });
    assert.equal(await progress(child, 3000), true);
  });

  for (const by of ['SIGTERM', 'SIGKILL'] as const) {
    it(`lets a frozen pod end by ${by}`, async () => {
      const child = await pod.start(BUSY, 'app');
      await enforce('frozen');
      const end = ended(child);
      child.kill(by);
      assert.equal(await end, by);
      assert.deepEqual(await enforce('frozen'), { writes: 0, problems: [] }, 'it is not frozen again while it ends');
    });
  }

  it('does not let a pod go on that only caught the signal', async () => {
    let now = 0;
    freeze.close();
    freeze = createFreezeEnforcer({ prefix: pod.prefix, pollMs: 20, now: () => now });
    const child = await pod.start(`exec bash -c "trap : TERM; while :; do :; done"`, 'app');
    await pause(50);
    await enforce('frozen');
    child.kill('SIGTERM');
    for (let i = 0; i < 1500 && frozen(); i++) await pause(20);
    assert.equal(frozen(), false);
    const waits = (): boolean => pendingEnd(readFileSync(`/proc/${child.pid}/status`, 'utf8')) !== undefined;
    for (let i = 0; i < 1500 && waits(); i++) await pause(20);
    now += 120_000;
    assert.deepEqual(await enforce('frozen'), { writes: 1, problems: [] });
    assert.ok(frozen());
  });

  it('freezes one that keeps a signal waiting while a child of it works on, and lets it be killed all the same', async () => {
    let now = 0;
    freeze.close();
    freeze = createFreezeEnforcer({ prefix: pod.prefix, pollMs: 20, now: () => now });
    // The parent of a vfork waits where only SIGKILL reaches it.
    const source = join(mkdtempSync(join(tmpdir(), 'slice-evade-')), 'evade.c');
    writeFileSync(
      source,
      `#include <signal.h>
#include <unistd.h>
static void caught(int s) {}
int main() { int me = getpid(); signal(SIGTERM, caught); if (vfork() == 0) { kill(me, SIGTERM); for (;;); } return 0; }`,
    );
    execFileSync('cc', ['-O0', '-o', source.slice(0, -2), source]);
    const child = await pod.start(`exec ${source.slice(0, -2)}`, 'app');
    const status = (): string => readFileSync(`/proc/${child.pid}/status`, 'utf8');
    for (let i = 0; i < 1500 && pendingEnd(status()) === undefined; i++) await pause(20);
    assert.deepEqual(await enforce('frozen'), { writes: 0, problems: [] }, 'it gets its time to end');
    now += 120_000;
    for (let i = 0; i < 1500 && !frozen(); i++) await pause(20);
    assert.ok(frozen(), 'without another pass');
    await pause(100);
    assert.ok(frozen(), 'the signal still waits');
    const end = ended(child);
    for (const pid of processesOf(pod.path('cpu'))) process.kill(pid, 'SIGKILL');
    // on a busy machine one moment may be too short to end in
    const clock = setInterval(() => (now += 1000), 20);
    assert.equal(await end, 'SIGKILL');
    clearInterval(clock);
    rmSync(dirname(source), { recursive: true });
  });

  it('thaws nobody for a signal that is blocked', async () => {
    const child = await pod.start(
      `exec python3 -c "import signal,time
signal.pthread_sigmask(signal.SIG_BLOCK,[15])
time.sleep(1000)"`,
      'app',
    );
    for (let i = 0; i < 1500 && !/SigBlk:\s*0*4000/.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')); i++)
      await pause(20);
    await enforce('frozen');
    child.kill('SIGTERM');
    await pause(200);
    assert.ok(frozen());
  });

  it('is put back for pods that an earlier manager froze', async () => {
    const child = await pod.start(BUSY, 'app');
    await enforce('frozen');
    freeze.close();
    freeze = createFreezeEnforcer({ prefix: pod.prefix });
    await freeze.release([pod.sliver()]);
    assert.equal(await progress(child, 3000), true);
  });
});
