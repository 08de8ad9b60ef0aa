/** Pods that run by rights, and what enforcers make of them. */
import assert from 'node:assert/strict';
import { right, shares } from '../rights.ts';
import { PassWorld, sliceNode } from './world.ts';

describe('a pass that enforces', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  it('has each sliver enforced by every enforcer that works', async () => {
    const rcap = right('a', shares(100));
    world.rcaps = [rcap];
    await world.pass(true);
    world.publish('p', rcap, { addresses: ['10.0.0.1'] });
    const result = await world.pass(true);
    const [sliver] = world.last().slivers;
    assert.deepEqual([sliver!.id, sliver!.standing, sliver!.txBytes], ['p', 'entitled', 7]);
    assert.equal(result.failed, true);
    assert.match(result.problems[0]!.message, /first: no tc/);
    assert.equal(
      world.condition('a', 'Enforced'),
      'False EnforcementFailed',
      'a promise that is not kept is not told as kept',
    );
    world.dropBrokenEnforcer();
    assert.equal((await world.pass(false)).failed, false);
    assert.equal(world.condition('a', 'Ready'), 'True Enforced');
  });

  it('takes no pod for the sliver of another slice than the one that it was started for, and says so', async () => {
    const rcap = right('a', shares(100), { sliceName: 'other' });
    world.rcaps = [rcap];
    await world.pass(true);
    world.publish('p', rcap, { slice: 'measure' });
    await world.pass(true);
    assert.equal(world.standing(), 'penalised');
    assert.deepEqual([world.condition('a', 'Granted'), world.condition('a', 'Ready')], ['True Granted', 'False NoPod']);
  });

  it('tells a sliver’s problem in its rcap only, and what binds nobody in none', async () => {
    world.dropBrokenEnforcer();
    const rcaps = [right('a'), right('b')];
    world.rcaps = rcaps;
    for (const [i, rcap] of rcaps.entries())
      world.publish(`p${i}`, rcap, { addresses: [`10.0.0.${i}`], classId: 0x100 + i });
    world.problems = [
      { sliver: 'p0', reason: 'CpuWriteFailed', message: 'EPERM' },
      { reason: 'LineUnknown', message: 'eth0' },
    ];
    await world.pass(false);
    assert.equal(world.condition('a', 'Enforced'), 'False EnforcementFailed');
    assert.equal(world.condition('b', 'Ready'), 'True Enforced');
    assert.equal(world.nodeCondition('LineKnown').status, 'False');
    assert.equal(world.nodeCondition('Ready').status, 'True');
  });

  it('asks for no address of a sliver on the node’s network', async () => {
    world.dropBrokenEnforcer();
    world.sliceNode = sliceNode({ hostNetwork: true });
    const watched: unknown[] = [];
    const update = (pods: readonly { uid: string; network: string }[]) =>
      void watched.push(...pods.map(({ uid, network }) => `${uid} ${network}`));
    world.parts.addresses = { ...world.parts.addresses, update };
    const rcaps = [right('a', { network: 'Host' }), right('b')];
    world.rcaps = rcaps;
    for (const [i, rcap] of rcaps.entries()) world.publish(`p${i}`, rcap, { classId: 0x100 + i });
    await world.pass(false);
    world.now += 60_000;
    await world.pass(true);
    assert.equal(world.condition('a', 'Ready'), 'True Enforced');
    assert.equal(world.condition('b', 'Ready'), 'False NoAddress');
    assert.deepEqual(
      world.last().slivers.map(({ network }) => network),
      ['Host', 'Pod'],
    );
    assert.deepEqual(watched.slice(-2), ['p0 Host', 'p1 Pod']);
    const { granted } = world.statusOf('a');
    assert.equal(granted?.resources.network, 'Host');
  });

  it('drops the record of a pod that left no trace, on a full pass', async () => {
    const rcap = right('a');
    world.rcaps = [rcap];
    world.publish('p', rcap);
    world.change({ isGone: () => true });
    await world.pass(true);
    assert.equal(world.parts.store.get().pods.length, 1, 'it may only just have been published');
    world.now += 60_000;
    await world.pass(false);
    assert.equal(world.parts.store.get().pods.length, 1);
    await world.pass(true);
    assert.equal(world.parts.store.get().pods.length, 0);
  });
});
