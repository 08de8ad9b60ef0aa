/** What is kept in files: through restarts, and where the disk is full. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { loadCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { DISK, type Disk } from '../../../node-daemonset/durable.ts';
import { GrantLog } from '../../../node-daemonset/grantlog.ts';
import { PENALTY_MS } from '../../../node-daemonset/standing.ts';
import { StateStore } from '../../../node-daemonset/state.ts';
import { NOW, right, shares } from '../rights.ts';
import { PassWorld, sliceNode } from './world.ts';

describe('a pass that keeps what it decided', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  it('goes on from its own files without the API server, and forgets nothing', async () => {
    const rcap = right('a', shares(100), { window: { end: new Date(NOW + 60_000).toISOString() } });
    world.rcaps = [rcap];
    world.sliceNode = sliceNode({ egressLimit: '50M' });
    await world.pass(true);
    world.publish('p', rcap);
    world.restart();
    world.rcaps = undefined;
    world.sliceNode = undefined;
    const { wakeAt } = await world.pass(true);
    assert.equal(world.desired[0]!.facts.egressLimit, 50_000_000);
    assert.equal(world.desired[0]!.slivers[0]!.standing, 'entitled');
    assert.equal(wakeAt, NOW + 60_000);
    world.now = NOW + 60_000;
    assert.equal((await world.pass(false)).wakeAt, NOW + 60_000 + PENALTY_MS);
    assert.equal(world.standing(), 'penalised');
    world.now += PENALTY_MS;
    await world.pass(false);
    assert.equal(world.standing(), 'frozen');
    assert.deepEqual(world.log, ['expired a']);
  });

  it('promises nothing that is not on the disk', async () => {
    world.rcaps = [right('a')];
    world.change({
      grantLog: {
        append: () => {
          throw new Error('ENOSPC');
        },
        owe: () => undefined,
      },
    });
    const { problems, failed } = await world.pass(true);
    assert.equal(failed, true);
    assert.equal(problems[0]!.reason, 'StateNotSaved');
    assert.equal(world.reports.has('a'), false);
    assert.deepEqual(world.parts.store.get().ledger.entries, []);
    assert.match(world.nodeCondition('Ready').message, /ENOSPC/);
  });

  it('says that the disk lacks what holds already, though it decided nothing, until the disk has it', async () => {
    let full = false;
    const open: Disk['open'] = (...args) => {
      if (full) throw new Error('ENOSPC');
      return DISK.open(...args);
    };
    world.change({ store: new StateStore(world.path('checkpoint.json'), world.parts.store.get(), { ...DISK, open }) });
    await world.start(right('a'));
    world.dropBrokenEnforcer();
    const kept = () => loadCheckpoint(world.path('checkpoint.json'), NOW).state.policy?.egressLimit;
    const before = kept();
    full = true;
    world.sliceNode = sliceNode({ egressLimit: '50M' });
    for (let i = 0; i < 2; i++) {
      const { problems, failed } = await world.pass(false);
      assert.deepEqual([problems.map(({ reason }) => reason), failed, kept()], [['StateNotSaved'], true, before]);
    }
    full = false;
    const { problems } = await world.pass(false);
    assert.deepEqual([problems, kept()], [[], '50M']);
  });

  it('on a full disk ends what ends, obeys the owner, forgets the gone, and enforces it all', async () => {
    let full = false;
    const open: Disk['open'] = (...args) => {
      if (full) throw new Error('ENOSPC');
      return DISK.open(...args);
    };
    const rcaps = [right('a'), right('b'), right('c')];
    world.rcaps = rcaps;
    const store = new StateStore(world.path('checkpoint.json'), world.parts.store.get(), { ...DISK, open });
    const grantLog = new GrantLog({ path: world.path('grants'), disk: { ...DISK, open } });
    world.change({ store, grantLog });
    await world.pass(true);
    for (const [i, rcap] of rcaps.entries()) world.publish(`p${i}`, rcap, { classId: 0x100 + i });
    await world.pass(true);
    full = true;
    world.rcaps = [rcaps[0]!, rcaps[2]!, right('d')];
    world.sliceNode = sliceNode({ egressLimit: '50M' });
    world.now += 120_000;
    world.change({ isGone: (uid) => uid === 'p2' });
    const { problems, failed } = await world.pass(true);
    assert.ok(failed && problems.some(({ reason, message }) => reason === 'StateNotSaved' && /ENOSPC/.test(message)));
    const { slivers, facts } = world.last();
    assert.deepEqual(
      slivers.map(({ id, standing }) => `${id} ${standing}`),
      ['p0 entitled', 'p1 penalised'],
    );
    assert.equal(facts.egressLimit, 50_000_000);
    assert.equal(world.reports.has('d'), false, 'nothing is promised meanwhile');
    world.now += PENALTY_MS;
    await world.pass(false);
    assert.equal(world.last().slivers[1]!.standing, 'frozen');
    full = false;
    await world.pass(true);
    assert.equal(world.condition('d', 'Granted'), 'True Granted');
    const log = readFileSync(world.path('grants'), 'utf8');
    assert.match(log, /"released","uid":"b"/);
    assert.equal(loadCheckpoint(world.path('checkpoint.json'), NOW).state.pods.length, 2);
  });
});
