import assert from 'node:assert/strict';
import { FencedError } from '../../../kube/errors.ts';
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
        ['t/web', 'p', 50],
        ['t/db', 'q', 500],
      ],
    };
    assert.deepEqual(await world.pass(), ['t/db']);
    world.nodes = { n1: [['t/web', 'p', 500]] };
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

  it('keeps what was counted over edits of its terms, and restarts, and forgets it where something else is counted', async () => {
    const world = new WatchdogWorld({ ...DAY, above: 1_000, lift: { below: 100, forSeconds: 10 } });
    world.grant('t/web', 'n1');
    const counts = async (bytes: number) => {
      world.nodes = { n1: [['t/web', 'p', bytes]] };
      return await world.pass();
    };
    await counts(0);
    await counts(400);
    world.edit({ above: 500, contact: 'noc@example.org' });
    assert.deepEqual(await counts(450), []);
    assert.deepEqual(await counts(501), ['t/web']);
    world.edit({ above: 450 });
    world.restart();
    for (let i = 0; i < 4; i++) assert.deepEqual(await counts(501), ['t/web'], 'nothing says that it sent less');
    assert.equal(world.state('t/web')!.value, 501);
    world.edit({ read: { sensor: 'other', column: 'bytes' } });
    await counts(501);
    assert.equal(world.state('t/web')!.value, 0);
  });

  it('does not take what was so by other terms for the time that they ask for', async () => {
    const world = new WatchdogWorld({ above: 10, forSeconds: 20 });
    world.grant('t/web', 'n1');
    world.nodes = { n1: [['t/web', 'p', 50]] };
    await world.pass();
    await world.pass();
    world.edit({ above: 40 });
    for (const expected of [[], [], ['t/web']]) assert.deepEqual(await world.pass(), expected);
  });

  it('acts in time, though its status can’t be written, and whatever a node says', async () => {
    const world = new WatchdogWorld();
    world.grant('t/web', 'n1');
    world.grant('t/db', 'n2');
    world.nodes = {
      n1: [
        ['t/web', 'p', 1.7e308],
        ['t/web', 'q', 2 ** 53 - 1],
        ['t/web', 'r', 2 ** 53 - 1],
      ],
      n2: [],
    };
    assert.deepEqual(await world.pass(), ['t/web']);
    assert.equal(world.state('t/web')!.value, Number.MAX_SAFE_INTEGER);
    world.refuse = (what) => (what === 'apply' || what === 'patch' ? new Error('no') : undefined);
    world.edit({ contact: 'noc@example.org' });
    world.nodes = { n2: [['t/db', 'p', 500]] };
    assert.deepEqual(await world.pass(), ['t/web', 't/db']);
  });

  it('says what it did also where it ended in between, in the same words', async () => {
    const world = new WatchdogWorld();
    world.grant('t/web', 'n1');
    world.slice('t/web');
    world.nodes = { n1: [['t/web', 'p', 500]] };
    world.refuse = () => new FencedError('it leads no more');
    await assert.rejects(world.pass());
    assert.deepEqual([world.held, world.reasons], [['t/web'], []]);
    world.refuse = () => undefined;
    world.restart();
    await world.pass();
    const said = ['SuspendedByWatchdog dog', 'SuspendedByWatchdog t/web'];
    assert.deepEqual(world.reasons, said);
    const messages = world.events.map(({ message }) => message);
    await world.pass();
    assert.deepEqual(world.reasons, said, 'once');
    world.watchdog.status = {};
    world.restart();
    await world.pass();
    assert.deepEqual(
      world.events.slice(2).map(({ message }) => message),
      messages,
      'one Event counts both',
    );
  });

  it('tells the Slices of a namespace, and in a dry run all whom it would restrain', async () => {
    const world = new WatchdogWorld({ of: 'Namespace' });
    for (const slice of ['t/web', 't/db', 'lab/web']) world.slice(slice);
    world.grant('t/web', 'n1');
    world.nodes = { n1: [['t/web', 'p', 500]] };
    await world.pass();
    assert.deepEqual(world.reasons.toSorted(), [
      'SuspendedByWatchdog dog',
      'SuspendedByWatchdog t/db',
      'SuspendedByWatchdog t/web',
    ]);
    const dry = new WatchdogWorld({ dryRun: true, most: 100 });
    const keys = Array.from({ length: 40 }, (_, i) => `t/s${i}`);
    for (const key of keys) dry.grant(key, 'n1');
    dry.nodes = { n1: keys.map((key) => [key, 'p', 500]) };
    await dry.pass();
    const told = dry.events.map(({ message }) => message).join(' ');
    assert.ok(dry.events.length < 25, `${dry.events.length} Events`);
    for (const key of keys) assert.ok(told.includes(key), key);
  });
});
