/** What is granted, and to whom that is said. */
import assert from 'node:assert/strict';
import type { RspecPort } from '../../../crds/types.ts';
import { edited, NODE, NOW, right, shares } from '../rights.ts';
import { PassWorld, sliceNode } from './world.ts';

describe('a pass that decides', () => {
  let world: PassWorld;
  beforeEach(() => void (world = new PassWorld()));
  afterEach(() => world.remove());

  it('grants, and tells who asked and the owner', async () => {
    world.rcaps = [right('a', shares(100)), right('b', shares(1001))];
    await world.pass(true);
    assert.equal(world.condition('a', 'Granted'), 'True Granted');
    assert.equal(world.condition('a', 'Ready'), 'False NoPod');
    assert.equal(world.condition('b', 'Granted'), 'False InvalidSpec');
    assert.equal(world.condition('b', 'Ready'), 'False InvalidSpec');
    const { granted } = world.statusOf('a');
    assert.equal(granted?.nodeUID, NODE.uid);
    assert.equal(granted?.resources.cpu?.shares, 100);
    const { free, offered } = world.node();
    assert.deepEqual([offered?.shares, free?.shares, free?.pods], [900, 800, 99]);
    assert.deepEqual(world.log, ['granted a', 'denied b']);
  });

  it('answers so many questions at once, and goes on at once with the rest', async () => {
    world.rcaps = Array.from({ length: 150 }, (_, i) => right(`r${i}`));
    const first = await world.pass(false);
    assert.deepEqual([world.log.length, first.wakeAt], [100, NOW + 10]);
    const second = await world.pass(false);
    assert.deepEqual([world.log.length, second.wakeAt], [150, undefined]);
  });

  it('does nothing before it knows its node', async () => {
    world.rcaps = [right('a')];
    world.sliceNode = { ...sliceNode(), status: {} };
    await world.pass(true);
    assert.equal(world.reports.has('a'), false);
    assert.deepEqual(world.desired, []);
    assert.equal(world.nodeCondition('Ready').reason, 'WaitingForNode');
  });

  it('says nothing anew when nothing changed', async () => {
    world.rcaps = [right('a')];
    await world.pass(true);
    world.reports.clear();
    await world.pass(false);
    assert.deepEqual([...world.reports.keys()], ['node1']);
  });

  it('refuses nobody on a guess about other pods', async () => {
    world.rcaps = [right('a')];
    const { otherRequests } = world.parts;
    world.change({
      otherRequests: () => {
        throw new Error('no cgroups');
      },
    });
    assert.equal((await world.pass(true)).failed, true);
    assert.deepEqual(world.parts.store.get().ledger.entries, []);
    world.change({ otherRequests });
    await world.pass(true);
    assert.equal(world.condition('a', 'Granted'), 'True Granted');
  });

  it('says nothing new of a right until it has looked at it as a Node that was registered anew', async () => {
    world.rcaps = [right('a')];
    await world.pass(true);
    world.reports.clear();
    world.sliceNode!.status!.node!.uid = 'registered-anew';
    const { otherRequests } = world.parts;
    world.change({
      otherRequests: () => {
        throw new Error('no cgroups');
      },
    });
    await world.pass(true);
    assert.equal(world.reports.get('a'), undefined);
    const before = world.parts.store.get().ledger.entries[0]!;
    assert.deepEqual([before.grant, before.former?.amounts.shares], [undefined, 1]);
    world.change({ otherRequests });
    await world.pass(true);
    const { granted } = world.statusOf('a');
    assert.equal(granted!.nodeUID, 'registered-anew');
  });

  it('refuses a port that somebody has, and grants it to the right whose own pod has it', async () => {
    const asked: RspecPort[][] = [];
    const port = { protocol: 'TCP' as const, port: 5001 };
    const heldBy = (pod: string) => async (ports: readonly RspecPort[]) => {
      asked.push([...ports]);
      return [{ ...port, by: `web (pid 7, pod ${pod})`, pod }];
    };
    const rcaps = [right('a', { ports: [port] }), right('b', shares(2))];
    world.rcaps = rcaps;
    world.publish('p', rcaps[0]!);
    world.change({ heldPorts: heldBy('q') });
    await world.pass(true);
    assert.equal(world.condition('a', 'Granted'), 'False PortInUse');
    assert.equal(world.condition('b', 'Granted'), 'True Granted');
    world.change({ heldPorts: heldBy('p') });
    world.rcaps = [edited(rcaps[0]!, {}), rcaps[1]!];
    await world.pass(false);
    assert.equal(world.condition('a', 'Granted'), 'True Granted');
    assert.deepEqual(world.last().ports, [port]);
    await world.pass(true);
    assert.deepEqual(asked, [[port], [port]], 'what is answered is not looked for');
  });

  it('answers nobody who asks for ports while it can’t look for them, and everybody else', async () => {
    world.rcaps = [right('a', { ports: [{ protocol: 'UDP', port: 53_000 }] }), right('b')];
    const { heldPorts } = world.parts;
    const enforcers = world.parts.enforcers.slice(1);
    const fails = async (): Promise<never> => Promise.reject(new Error('no nft'));
    world.change({ enforcers, heldPorts: fails });
    world.publish('p', world.rcaps[1]!, { addresses: ['10.0.0.1'] });
    const { failed, problems } = await world.pass(true);
    assert.deepEqual([failed, problems.map(({ reason }) => reason)], [true, ['PortsUnknown']]);
    assert.equal(world.reports.has('a'), false);
    assert.equal(world.condition('b', 'Ready'), 'True Enforced', 'it is nothing to those who have their rights');
    world.change({ heldPorts });
    await world.pass(false);
    assert.equal(world.condition('a', 'Granted'), 'True Granted');
  });
});
