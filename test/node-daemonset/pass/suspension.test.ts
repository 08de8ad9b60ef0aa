/** Rights that their holders suspend. */
import assert from 'node:assert/strict';
import { PENALTY_MS } from '../../../node-daemonset/standing.ts';
import { WORDS_MS } from '../../../node-daemonset/suspension.ts';
import { edited, NOW, right, shares } from '../rights.ts';
import { PassWorld } from './world.ts';

describe('a pass that suspends', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  it('holds down what runs by a part of a right whose holder suspends it, also after a restart and without the API server', async () => {
    const said = { reason: 'probes our customers', contact: 'ops@broker.example' };
    const whole = right('whole', shares(200), { sliceName: '' }, { creationTimestamp: '2026-09-01T00:00:00Z' });
    const part = right('part', shares(100), { from: 'right-whole' });
    world.rcaps = [whole, part];
    await world.pass(true);
    world.publish('p', part, { addresses: ['10.0.0.2'] });
    await world.pass(true);
    assert.deepEqual([world.standing(), world.statusOf('part').suspendedBy], ['entitled', undefined]);
    world.rcaps = [edited(whole, { suspended: said }), part];
    await world.pass(false);
    assert.equal(world.standing(), 'penalised');
    assert.equal(world.condition('part', 'Ready'), 'False Suspended');
    assert.equal(world.condition('whole', 'Granted'), 'True Granted');
    for (const uid of ['whole', 'part']) {
      assert.deepEqual(world.statusOf(uid).suspendedBy, [{ right: 'team/right-whole', ...said }]);
    }
    assert.match(
      world.message('part', 'Ready'),
      /suspended by the holder of right team\/right-whole \(ops@broker.example\): probes our customers/,
    );
    const edits = ['more', 'and more'].map((reason) => edited(edited(whole, {}), { suspended: { ...said, reason } }));
    const results = [];
    for (const one of edits) {
      world.rcaps = [one, part];
      results.push(await world.pass(false));
    }
    assert.equal(world.statusOf('part').suspendedBy![0]!.reason, 'more');
    assert.equal(results[1]!.wakeAt, NOW + WORDS_MS);
    world.now = NOW + WORDS_MS;
    await world.pass(false);
    assert.equal(world.statusOf('part').suspendedBy![0]!.reason, 'and more');
    world.restart();
    Object.assign(world, { rcaps: undefined, sliceNode: undefined, now: NOW + PENALTY_MS });
    await world.pass(true);
    assert.equal(world.standing(), 'frozen');
    world.rcaps = [edited(edited(whole, {}), {}), part];
    await world.pass(false);
    assert.equal(world.standing(), 'entitled');
    assert.equal(world.statusOf('part').suspendedBy, undefined);
  });
});
