/** What the owner offers, said in the SliceNode and in a file. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { NO_ORDERS } from '../../../node-daemonset/owner/orders.ts';
import { SETTLED_MS } from '../../../node-daemonset/pass.ts';
import { PENALTY_MS } from '../../../node-daemonset/standing.ts';
import { NOW, right, shares } from '../rights.ts';
import { PassWorld, sliceNode } from './world.ts';

describe('a pass that reads the owner’s policy', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  it('says which generation of the owner’s policy it goes by', async () => {
    world.sliceNode!.metadata.generation = 7;
    await world.pass(true);
    assert.equal(world.node().observedGeneration, 7);
    assert.equal(world.nodeCondition('Ready').observedGeneration, 7);
    world.sliceNode = { ...sliceNode({ shares: 1 }), metadata: { name: 'node1', uid: 'sln', generation: 8 } };
    await world.pass(false);
    assert.equal(world.node().observedGeneration, 8);
    assert.equal(world.node().offered?.shares, 1);
  });

  it('goes by the last valid policy of the run before where the owner’s file has a slip, also by a cap since', async () => {
    const file = world.path('policy.yaml');
    const rcap = right('a', shares(100));
    writeFileSync(file, 'egressLimit: 50M\nnamespaces: [{ name: mallory, refused: true }]\n');
    world.rcaps = [rcap];
    await world.pass(true);
    world.publish('p', rcap, { addresses: ['10.0.0.1'] });
    writeFileSync(file, 'egresslimit: 50M\n');
    world.restart();
    world.dropBrokenEnforcer();
    world.rcaps = [rcap, right('b', shares(1), {}, { namespace: 'mallory' }), right('c', shares(1))];
    const { problems } = await world.pass(true);
    assert.deepEqual(problems, []);
    assert.equal(world.last().facts.egressLimit, 50_000_000);
    assert.equal(world.condition('b', 'Granted'), 'False NamespaceRefused');
    assert.equal(world.condition('c', 'Granted'), 'True Granted');
    assert.match(world.nodeCondition('Ready').message, /^the last valid policy holds: .*no field egresslimit/);
    world.orders = { cap: { egressLimit: 7_000_000, since: 'now', reason: '' }, suspended: [] };
    await world.pass(false);
    assert.equal(world.last().facts.egressLimit, 7_000_000);
    writeFileSync(file, '{}\n');
    world.orders = NO_ORDERS;
    await world.pass(false);
    assert.equal(world.last().facts.egressLimit, 100_000_000);
  });

  it('looks again soon at a file that changed just now', async () => {
    const { policy } = world.parts;
    world.change({ policy: { read: (said) => ({ ...policy.read(said), unsettled: true }) } });
    assert.equal((await world.pass(true)).wakeAt, NOW + SETTLED_MS);
  });

  it('enforces what was granted where there never was a valid policy, says so, and decides nothing', async () => {
    const egress = { limit: '9M', guarantee: '3M' };
    const rcap = right('a', { ...shares(100), egress }, { window: { end: new Date(NOW + 300_000).toISOString() } });
    world.rcaps = [rcap];
    await world.pass(true);
    world.publish('p', rcap, { addresses: ['10.0.0.1'] });
    world.parts.store.set({ policy: undefined }); // as an older node manager left it
    writeFileSync(world.path('policy.yaml'), 'egresslimit: 50M\n');
    world.restart();
    world.dropBrokenEnforcer();
    world.rcaps = [rcap, right('b', shares(1))];
    const { problems } = await world.pass(true);
    const [problem] = problems;
    assert.equal(problem!.reason, 'PolicyUnknown');
    assert.match(problem!.message, /never was a valid policy.*no field egresslimit/);
    const { slivers, facts } = world.last();
    assert.deepEqual([slivers[0]!.standing, facts.egressLimit], ['entitled', 3_000_000]);
    assert.equal(world.reports.has('b'), false, 'neither granted nor refused');
    assert.equal(world.condition('a', 'Enforced'), 'False EnforcementFailed');
    assert.equal(world.nodeCondition('Ready').message, problem!.message);

    const suspended = [{ namespace: 'team', slice: undefined, since: 'now', reason: 'stop' }];
    world.orders = { cap: undefined, suspended };
    await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    world.now += PENALTY_MS;
    await world.pass(false);
    assert.equal(world.standing(), 'frozen');
    world.orders = NO_ORDERS;
    await world.pass(false);
    assert.equal(world.standing(), 'entitled');
    world.now = NOW + 300_000;
    await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    assert.deepEqual(world.log, ['expired a']);
  });
});

describe('a pass by a policy that offers less than was granted', () => {
  let world: PassWorld;
  beforeEach(async () => {
    world = new PassWorld();
    await world.start(right('r', shares(100)));
  });
  afterEach(() => world.remove());

  it('evicts where it says so, with an Event for whoever loses the right', async () => {
    world.sliceNode = sliceNode({ shares: 99, evict: true });
    await world.pass(false);
    assert.ok(world.log.includes('evicted r') && world.log.includes('tells r Evicted'), world.log.join());
    assert.equal(world.condition('r', 'Granted'), 'False Evicted');
    assert.equal(world.standing(), 'penalised');
    assert.equal(world.nodeCondition('WithinOffer').status, 'True');
  });

  it('else marks what is too much, of whatever kind', async () => {
    world.sliceNode = sliceNode({ namespaces: [{ name: 'team', refused: true }] });
    await world.pass(false);
    const { status, message: text } = world.nodeCondition('WithinOffer');
    assert.equal(status, 'False');
    assert.match(text, /^1 right the owner's policy would not grant now, kept until its window ends: team\/right-r/);
    assert.equal(world.standing(), 'entitled');
  });

  it('marks it also where the ledger was lost, and what runs by it goes on', async () => {
    world.rcaps = world.rcaps!.map((rcap) => ({ ...rcap, status: world.statusOf('r') }));
    const { rcaps } = world;
    rmSync(world.path('checkpoint.json'));
    world.restart();
    world.sliceNode = sliceNode({ namespaces: [{ name: 'team', refused: true }] });
    world.rcaps = undefined;
    await world.pass(true);
    world.rcaps = rcaps;
    await world.pass(false);
    assert.equal(world.condition('r', 'Granted'), 'True Granted');
    assert.equal(world.nodeCondition('WithinOffer').reason, 'Overcommitted');
    world.publish('p', rcaps[0]!, { addresses: ['10.0.0.2'] });
    await world.pass(false);
    assert.equal(world.standing(), 'entitled');
  });
});
