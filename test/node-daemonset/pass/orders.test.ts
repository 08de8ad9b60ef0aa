/** What a node’s owner says on the node itself. */
import assert from 'node:assert/strict';
import { NO_ORDERS } from '../../../node-daemonset/owner/orders.ts';
import { PENALTY_MS } from '../../../node-daemonset/standing.ts';
import { edited, NOW, right, shares } from '../rights.ts';
import { PassWorld, sliceNode } from './world.ts';

describe('what the owner says on the node', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  const since = '2026-11-01T00:00:00Z';
  const suspend = (slice?: string): void => {
    world.orders = { ...NO_ORDERS, suspended: [{ namespace: 'team', slice, since, reason: 'too loud' }] };
  };

  beforeEach(async () => {
    await world.start(right('r', shares(100)));
    assert.equal(world.standing(), 'entitled');
  });

  it('suspends a sliver, names itself, and holds through a restart and without the API server', async () => {
    suspend('measure');
    await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    assert.equal(world.condition('r', 'Ready'), 'False Suspended');
    assert.equal(
      world.message('r', 'Ready'),
      `the right is kept, and suspended by the node's owner since ${since}: too loud`,
    );
    assert.match(
      world.message('r', 'Enforced'),
      /pod right-r has no right now and is held down: suspended by the node's owner/,
    );
    assert.deepEqual(world.node().orders!.suspended, [
      { namespace: 'team', slice: 'measure', since, reason: 'too loud' },
    ]);
    const { orders } = world;
    world.restart();
    Object.assign(world, { orders, rcaps: undefined, sliceNode: undefined, now: NOW + PENALTY_MS });
    await world.pass(true);
    assert.equal(world.standing(), 'frozen');
  });

  it('is not undone by what others say: each suspender is named, and each has to resume', async () => {
    suspend();
    const { status } = world.sliceNode!;
    const restraints = [{ namespace: 'team', slice: 'measure', suspended: true }];
    world.sliceNode = { ...world.sliceNode!, status: { ...status, restraints } };
    await world.pass(false);
    assert.match(world.message('r', 'Ready'), /suspended by a Restraint: see .* measure; by the node's owner since/);
    world.sliceNode = { ...world.sliceNode, status };
    world.rcaps = [edited(world.rcaps![0]!, { contact: 'author@example.org' })];
    await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    world.orders = NO_ORDERS;
    await world.pass(false);
    assert.equal(world.standing(), 'entitled');
    assert.doesNotMatch(world.condition('r', 'Ready'), /Suspended/);
    assert.equal(world.node().orders, undefined);
  });

  it('holds as it was where the files can’t be read, and the node says so', async () => {
    suspend('measure');
    await world.pass(false);
    world.parts.orders = () => {
      throw new Error('EIO');
    };
    const { problems } = await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    assert.deepEqual(problems.find(({ reason }) => reason === 'OrdersUnknown')?.message, 'EIO');
    assert.equal(world.nodeCondition('Ready').status, 'False');
  });

  it('caps what slices send, below the policy and never above it, and takes no right away', async () => {
    const capTo = async (egressLimit: number): Promise<number> => {
      world.orders = { ...NO_ORDERS, cap: { egressLimit, since, reason: '' } };
      await world.pass(false);
      return world.last().facts.egressLimit;
    };
    world.sliceNode = sliceNode({ egressLimit: '80M', evict: true });
    world.rcaps = [right('r', { ...shares(100), egress: { guarantee: '30M', limit: '60M' } })];
    world.rcaps[0]!.metadata.generation = 2;
    await world.pass(false);
    assert.equal(await capTo(500e6), 80e6);
    assert.equal(await capTo(20e6), 20e6);
    assert.deepEqual([world.node().orders!.cap!.egressLimit, world.node().offered!.egress], ['20M', '20M']);
    assert.equal(world.condition('r', 'Granted'), 'True Granted');
    assert.equal(world.nodeCondition('WithinOffer').reason, 'Overcommitted');
  });
});
