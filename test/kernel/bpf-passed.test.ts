import assert from 'node:assert/strict';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, tcp, udp } from './host-sliver.ts';

const DAY_MS = 24 * 3600 * 1000;

describe('a descriptor in the hands of another slice', () => {
  let node: GuardedNode;
  const a = hostSliver('a', 1, { ports: [tcp(7000), udp(7000)] });
  const b = hostSliver('b', 2, { ports: [udp(7001)] });

  beforeEach(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'b']) node.addPod(uid);
    node.start();
    assert.deepEqual((await node.enforce(makeDesired([a, b]))).problems, []);
  });
  afterEach(() => node.remove());

  async function end(maker: Peer): Promise<void> {
    maker.child.stdin!.end();
    await new Promise((resolve) => maker.child.once('exit', resolve));
    node.removePod('a');
    await node.enforce(makeDesired([b]));
  }

  /** Nobody remembers the sliver any more. */
  async function forget(): Promise<void> {
    await node.request({ later: DAY_MS + 1000 });
    await node.enforce(makeDesired([b]));
    assert.equal(await node.counters(1), undefined);
  }

  it('is dead for ever when the slice that made it has ended, sent or not', async () => {
    const [maker, second] = [node.peer('a'), node.peer('a')];
    const [heir, other] = [node.peer('b'), node.peer('b')];
    assert.equal(await maker.all('socket 6 dgram 17', 'option freebind6 1', 'bind :: 7000'), 'ok');
    assert.equal(await second.all('socket 6 dgram 17', 'option freebind6 1'), 'ok');
    await node.pass(maker, heir);
    await node.pass(second, other);
    second.child.stdin!.end();
    await end(maker);
    await forget();
    const listener = node.peer(undefined, { root: true });
    assert.equal(await listener.all('socket 6 dgram 17', 'bind ::1 5300'), 'ok');
    assert.equal(await other.ask('bind :: 7001'), 'ok', "its holder's own port");
    for (const peer of [heir, other]) {
      assert.equal(await peer.ask('sendto fd77::2 9 41'), 'EPERM');
      assert.equal(await peer.ask('sendfrom 2001:db8::bad fd77::2 9 41'), 'EPERM');
      assert.equal(await peer.ask('sendto ::1 5300 41'), 'EPERM');
    }
  });

  it('is dead also where it is a connection that was accepted', async () => {
    const [maker, heir] = [node.peer('a'), node.peer('b')];
    const client = node.peer(undefined, { namespace: 'world' });
    assert.equal(await maker.all('socket 4 stream 6', 'bind 0.0.0.0 7000', 'listen'), 'ok');
    assert.equal(await client.all('socket 4 stream 6', 'connect 10.77.0.1 7000'), 'ok');
    assert.equal(await maker.ask('accept 20000'), 'ok');
    await node.pass(maker, heir);
    assert.equal(await heir.ask('send 4141'), 'ok');
    assert.equal(await client.ask('receive 20000'), 'got 4141');
    await end(maker);
    await forget();
    await heir.ask('send 4242');
    assert.equal(await client.ask('receive 500'), 'ETIMEDOUT');
  });

  it('is dead also when its slice was forgotten at once', async () => {
    const [maker, heir] = [node.peer('a'), node.peer('b')];
    assert.equal(await maker.all('socket 4 dgram 17', 'bind 10.77.0.1 7000'), 'ok');
    await node.pass(maker, heir);
    await end(maker);
    await forget();
    await node.kill();
    node.start();
    await node.enforce(makeDesired([b]));
    assert.equal(await heir.ask('sendto 10.77.0.2 9 41'), 'EPERM');
  });

  it('goes on where the node manager lost what it knew, and gave the same pod another number', async () => {
    const maker = node.peer('a');
    assert.equal(await maker.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'sendto 10.77.0.2 9 41'), 'ok');
    await node.enforce(makeDesired([{ ...a, number: 3 }, b]));
    assert.equal(await maker.ask('sendto 10.77.0.2 9 41'), 'ok');
  });

  it('that was bound to a port which is lost sends nothing more, also from a port that clients might get', async () => {
    const [datagram, stream] = [node.peer('a'), node.peer('a')];
    const world = node.peer(undefined, { namespace: 'world' });
    await node.enforce(makeDesired([hostSliver('a', 1, { ports: [udp(40001), tcp(40002)] }), b]));
    assert.equal(await datagram.all('socket 4 dgram 17', 'bind 0.0.0.0 40001', 'sendto 10.77.0.2 9 41'), 'ok');
    assert.equal(await world.all('socket 4 stream 6', 'bind 10.77.0.2 6000', 'listen'), 'ok');
    assert.equal(await stream.all('socket 4 stream 6', 'bind 0.0.0.0 40002', 'connect 10.77.0.2 6000'), 'ok');
    assert.equal(await world.ask('accept 20000'), 'ok');
    await node.enforce(makeDesired([hostSliver('a', 1, {}), b]));
    assert.equal(await datagram.ask('sendto 10.77.0.2 9 41'), 'EPERM');
    await stream.ask('send 4242');
    assert.equal(await world.ask('receive 500'), 'ETIMEDOUT');
  });
});
