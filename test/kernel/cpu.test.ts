import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuEnforcer } from '../../node-daemonset/cpu/apply.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { TestKubepods } from './kubepods.ts';

const signal = new AbortController().signal;

describe('the CPU enforcer on the real kernel', () => {
  let kubepods: TestKubepods;
  let directory: string;
  const slivers = [
    makeSliver('a', { shares: 100, excess: 'None' }),
    makeSliver('b', { shares: 300 }),
    makeSliver('c', { shares: 500 }, { standing: 'penalised' }),
  ];
  const desired = makeDesired(slivers, { cpuMilli: 2000 });
  const enforcer = (onDisturbed?: () => void): ReturnType<typeof createCpuEnforcer> =>
    createCpuEnforcer({
      stateFile: join(directory, 'cpu.json'),
      prefix: kubepods.prefix,
      ...(onDisturbed && { onDisturbed }),
    });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cpu-test-'));
    kubepods = new TestKubepods('sot', 2000);
    for (const { id, amounts } of slivers) kubepods.addPod(id, 'burstable', amounts.shares * 2);
    kubepods.addPod('other', 'burstable', 100);
    kubepods.addPod('guaranteed', 'guaranteed', 100);
  });

  afterEach(() => {
    kubepods.remove();
    rmSync(directory, { recursive: true });
  });

  it('gives every sliver its weight and its ceiling, and nobody else a different one than before', async () => {
    const others = [kubepods.cpu('other'), kubepods.cpu('guaranteed')];
    const report = await enforcer().enforce(desired, signal);
    assert.deepEqual(report.problems, []);
    const [a, b, c] = ['a', 'b', 'c'].map((uid) => kubepods.cpu(uid));
    assert.ok(Math.abs(b!.weight / a!.weight - 3) < 0.03);
    assert.deepEqual(a!.quota, { max: 20_000, period: 100_000 });
    assert.equal(b!.quota.max, undefined);
    assert.equal(c!.weight, kubepods.version === 1 ? 2 : 1);
    if (kubepods.version === 1) assert.deepEqual([kubepods.cpu('other'), kubepods.cpu('guaranteed')], others);
  });

  it('gives a Guaranteed pod its part beside all Burstable ones, also after the kubelet weighed those anew', async () => {
    const part = (): number => {
      const { weight } = kubepods.cpu('guaranteed');
      return weight / (weight + kubepods.burstableWeight());
    };
    kubepods.addPod('large', 'guaranteed', 380);
    const passes = [enforcer(), enforcer()];
    await passes[0]!.enforce(desired, signal);
    const burstable = 2 * (100 + 300 + 500) + 100;
    // The kubelet's own weight of the parent is a whole number of about 70 on v2.
    assert.ok(Math.abs(part() / (100 / (100 + burstable)) - 1) < 0.15, String(part()));
    kubepods.addPod('more', 'burstable', 1000);
    await passes[1]!.enforce(desired, signal);
    assert.ok(Math.abs(part() / (100 / (100 + burstable + 1000)) - 1) < 0.15, String(part()));
  });

  it('writes nothing when all is as it should be, also after a restart', async () => {
    await enforcer().enforce(desired, signal);
    assert.equal((await enforcer().enforce(desired, signal)).writes, 0);
  });

  it('restores a weight that somebody changed, and hears of it at once', async () => {
    const disturbed = Promise.withResolvers<void>();
    const watching = enforcer(() => disturbed.resolve());
    await watching.enforce(desired, signal);
    const before = kubepods.cpu('b');
    kubepods.setWeight('b', 777);
    await disturbed.promise;
    assert.equal((await watching.enforce(desired, signal)).writes, 1);
    assert.deepEqual(kubepods.cpu('b'), before);
    await watching.release();
  });

  it('hears of a new pod at once', async () => {
    const disturbed = Promise.withResolvers<void>();
    const watching = enforcer(() => disturbed.resolve());
    await watching.enforce(desired, signal);
    kubepods.addPod('late', 'burstable', 50);
    await disturbed.promise;
    await watching.release();
  });

  it('puts every weight back on release and when the last sliver goes, and leaves no record', async () => {
    const uids = ['a', 'b', 'c', 'other', 'guaranteed'];
    const before = uids.map((uid) => kubepods.cpu(uid));
    await enforcer().enforce(desired, signal);
    await enforcer().release();
    assert.deepEqual(
      uids.map((uid) => kubepods.cpu(uid)),
      before,
    );
    assert.deepEqual(readdirSync(directory), []);
    await enforcer().enforce(desired, signal);
    await enforcer().enforce(makeDesired([], { cpuMilli: 2000 }), signal);
    assert.deepEqual(
      uids.map((uid) => kubepods.cpu(uid)),
      before,
    );
    await enforcer().enforce(makeDesired([], { cpuMilli: 2000 }), signal);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('says which sliver has no cgroup, and keeps the rest', async () => {
    const gone = makeDesired([...slivers, makeSliver('gone')], { cpuMilli: 2000 });
    const { problems } = await enforcer().enforce(gone, signal);
    assert.deepEqual(
      problems.map(({ sliver, reason }) => [sliver, reason]),
      [['gone', 'NoCgroup']],
    );
    assert.ok(kubepods.cpu('a').quota.max !== undefined);
  });

  it('says that there are no pods where the prefix is wrong', async () => {
    const lost = createCpuEnforcer({ stateFile: join(directory, 'x.json'), prefix: `${kubepods.prefix}-not` });
    const { problems } = await lost.enforce(desired, signal);
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['NoCgroups'],
    );
  });

  it('survives a record that is no JSON', async () => {
    writeFileSync(join(directory, 'cpu.json'), '{ torn');
    assert.deepEqual((await enforcer().enforce(desired, signal)).problems, []);
    assert.doesNotThrow(() => JSON.parse(readFileSync(join(directory, 'cpu.json'), 'utf8')));
  });
});
