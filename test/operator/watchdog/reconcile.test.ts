import assert from 'node:assert/strict';
import { WatchdogWorld } from './world.ts';

const DAY = { periodSeconds: 86_400 };

describe('a pass over a watchdog', () => {
  it('believes a node about slices with a granted right there, and about no others', async () => {
    const world = new WatchdogWorld();
    world.grant('t/web', 'n1');
    world.grant('t/refused', 'n1');
    world.rights[1]!.status = {
      conditions: [{ type: 'Granted', status: 'False', reason: 'No', message: '', lastTransitionTime: 'x' }],
    };
    world.grant('t/lent', 'n1');
    // the node's own word about what nobody edited
    world.rights[2]!.status!.granted!.sliceName = 'victim';
    world.nodes = {
      n1: ['t/web', 't/refused', 't/victim', 't/far'].map((slice) => [slice, 'p', 500]),
    };
    assert.deepEqual(await world.pass(), ['t/web']);
  });

  it('lets no edit or release of a right hide what is sent with it', async () => {
    const world = new WatchdogWorld(DAY);
    world.grant('t/web', 'n1');
    world.grant('t/db', 'n1');
    world.nodes = {
      n1: [
        ['t/web', 'p', 0],
        ['t/db', 'q', 0],
      ],
    };
    await world.pass();
    world.rights[0]!.spec.sliceName = 'other';
    world.rights[0]!.metadata.generation = 2;
    world.rights.pop();
    world.nodes = {
      n1: [
        ['t/web', 'p', 500],
        ['t/db', 'q', 500],
      ],
    };
    assert.deepEqual(await world.pass(), ['t/db', 't/web']);
  });

  it('lifts when the nodes where the slice has a right say so, whoever else is silent', async () => {
    const world = new WatchdogWorld({ lift: { below: 10, forSeconds: 10 } });
    world.grant('t/web', 'n1');
    world.grant('t/db', 'n2');
    world.nodes = { n1: [['t/web', 'p', 500]], n2: [] };
    assert.deepEqual(await world.pass(), ['t/web']);
    world.nodes = { n1: 'is silent', n2: [] };
    for (let i = 0; i < 5; i++) assert.deepEqual(await world.pass(), ['t/web']);
    world.nodes = { n1: [], n2: 'is silent' };
    await world.pass();
    assert.deepEqual(await world.pass(), []);
  });

  it('counts anew from an undo, also where the operator restarts at once', async () => {
    const world = new WatchdogWorld(DAY);
    world.grant('t/web', 'n1');
    world.nodes = { n1: [['t/web', 'p', 0]] };
    await world.pass();
    world.nodes = { n1: [['t/web', 'p', 500]] };
    assert.deepEqual(await world.pass(), ['t/web']);
    world.restraints = [];
    await world.pass(1);
    world.restart();
    await world.pass();
    world.nodes = { n1: [['t/web', 'p', 590]] };
    assert.deepEqual(await world.pass(), []);
    world.nodes = { n1: [['t/web', 'p', 601]] };
    assert.deepEqual(await world.pass(), ['t/web']);
  });

  it('takes no Restraint of another slice for the one that it makes', async () => {
    const world = new WatchdogWorld({ dryRun: false });
    world.grant('t/web', 'n1');
    world.nodes = { n1: [['t/web', 'p', 500]] };
    await world.pass();
    const [decoy] = world.restraints;
    const name = decoy!.metadata.name;
    assert.match(name, /^dog-[0-9a-f]{32}$/);
    world.restraints = [{ ...decoy!, spec: { ...decoy!.spec, slice: 'decoy' } }];
    world.restart();
    world.watchdog.status = {};
    world.events = [];
    await world.pass();
    assert.deepEqual(
      world.reasons.filter((one) => one.includes('t/web')),
      [],
    );
    assert.match(world.watchdog.status.conditions![0]!.message, /is not of this Watchdog|is about another/);
  });
});
