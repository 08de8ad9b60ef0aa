/** Connections that begin on the node's own network: how many, from whose ports, and what comes back. */
import assert from 'node:assert/strict';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, podSliver, udp } from './host-sliver.ts';
import { icmpEcho, udpHeader } from './packets.ts';

const NODE = { 4: '10.77.0.1', 6: 'fd77::1' } as const;
const WORLD = { 4: '10.77.0.2', 6: 'fd77::2' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
/** What is enforced for a table of this size: 50 a second, 1000 at once. */
const SMALL_TABLE = '1000';
const AT_ONCE = 1000;
const PER_SECOND = 50;
/** What may have begun since an instant, in ms, and some other packets of the node's. */
const most = (since: number): number => AT_ONCE + PER_SECOND * Math.ceil((Date.now() - since) / 1000) + 100;

describe('connections that begin on the node’s network', () => {
  let node: GuardedNode;
  let enforcer: RemoteEnforcer;
  let manager: Peer;
  let world: Peer;

  const desired = (ports = [udp(7000)]): Desired =>
    makeDesired(
      [
        hostSliver('a', 1, { ports }),
        hostSliver('b', 2, { ports: [udp(7001), icmp(77)], privileges: ['RawSockets'] }),
        podSliver('p', 3, ['10.78.0.2'], { ports: [udp(7100)], privileges: ['RawSockets'] }),
      ],
      { echoRate: 100_000 },
    );
  const open = (): RemoteEnforcer => new RemoteEnforcer(node.net, 'node', 'connections', node.prefix, SMALL_TABLE);
  const enforce = async (wanted: Desired): Promise<number> => {
    assert.deepEqual((await node.enforce(wanted)).problems, []);
    const { writes, problems } = await enforcer.enforce(wanted);
    assert.deepEqual(problems, []);
    return writes;
  };
  const tracked = (): number => Number(node.net.run('node', ['sysctl', '-n', 'net.netfilter.nf_conntrack_count']));
  /** How many of the packets got out: the others are refused. */
  const sendAll = async (holder: Peer, packets: readonly string[]): Promise<number> => {
    const answer = async (from: number, to: number): Promise<boolean> =>
      (await holder.ask(packets.slice(from, to).join(';'))) === 'ok';
    let sent = 0;
    for (let at = 0; at < packets.length; at += 50) if (await answer(at, at + 50)) sent += 50;
    return sent;
  };
  const raws = (family: 4 | 6, port: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `sendto ${WORLD[family]} 0 ${udpHeader(port, 10_000 + i)}`);

  beforeEach(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'b', 'p', 'ordinary']) node.addPod(uid);
    for (const family of [4, 6] as const) node.net.run('node', ['ping', '-c1', '-W5', WORLD[family]]);
    node.start();
    enforcer = open();
    await enforce(desired());
    manager = node.peer('manager', { root: true });
    world = node.peer(undefined, { root: true, namespace: 'world' });
  });
  afterEach(() => node.remove());

  it('are so many that the others have room, of each sliver for itself', async () => {
    const began = Date.now();
    const [a, b] = [node.peer('a'), node.peer('b')];
    assert.equal(await a.all('socket 4 dgram 17', `bind ${ANY[4]} 7000`), 'ok');
    const sent = Number(await a.ask(`scan ${WORLD[4]} 20000 23999 10`));
    assert.ok(sent >= AT_ONCE && sent < most(began), `${sent} were begun`);
    assert.ok(tracked() < most(began), `${tracked()} are remembered`);
    // what it began goes on
    assert.equal(await a.ask(`sendto ${WORLD[4]} 20000 00`), 'ok');
    assert.equal(await b.all('socket 4 dgram 17', `bind ${ANY[4]} 7001`), 'ok');
    assert.ok(Number(await b.ask(`scan ${WORLD[4]} 20000 20499 10`)) === 500, 'another sliver');
    const ordinary = node.peer('ordinary');
    assert.equal(await ordinary.ask('socket 4 dgram 17'), 'ok');
    assert.equal(await ordinary.ask(`scan ${WORLD[4]} 20000 22999 10`), '3000', 'a pod that is no sliver');
    assert.equal((await enforcer.enforce(desired())).writes, 0, 'buckets are the kernel’s');
  });

  it('are no more for what is forged', async () => {
    const began = Date.now();
    const a = node.peer('a');
    assert.equal(await a.all('socket 6 dgram 17', 'option freebind6 1', `bind ${ANY[6]} 7000`), 'ok');
    const forged = Array.from(
      { length: 2000 },
      (_, i) => `sendfrom 2001:db8::${(i + 1).toString(16)} ${WORLD[6]} 9 00`,
    );
    for (const one of forged) assert.equal(await a.ask(one), 'EPERM');
    assert.ok(tracked() < most(began), `${tracked()} are remembered`);
  });

  for (const family of [4, 6] as const) {
    it(`IPv${family}: are so many by raw sockets, too, also those of a sliver with an address of its own`, async () => {
      for (const [sliver, pod, port] of [
        [2, 'b', 7001],
        [3, 'p', 7100],
      ] as const) {
        const [before, began] = [tracked(), Date.now()];
        const holder = node.peer(pod);
        await node.giveRaw(manager, holder, { sliver, family, protocol: 17, port });
        const sent = await sendAll(holder, raws(family, port, 2000));
        assert.ok(sent >= 0.9 * AT_ONCE && sent < most(began), `${sent} were begun`);
        const added = tracked() - before;
        assert.ok(added >= 0.9 * AT_ONCE && added < most(began), `${added} are remembered`);
      }
    });

    it(`IPv${family}: are no more where a raw socket says what is not its own, and what is goes on`, async () => {
      const [raw, echoing] = [node.peer('b'), node.peer('b')];
      await node.giveRaw(manager, raw, { sliver: 2, family, protocol: 17, port: 7001 });
      await node.giveRaw(manager, echoing, { sliver: 2, family, protocol: family === 4 ? 1 : 58, port: 77 });
      const echo = (identifier: number): string =>
        `sendto ${WORLD[family]} 0 ${icmpEcho(family === 4 ? 8 : 128, identifier)}`;
      const [before, began] = [tracked(), Date.now()];
      const { port } = (await node.counters(2))!.drops;
      for (const packet of raws(family, 7002, 1000)) assert.equal(await raw.ask(packet), 'EPERM');
      for (let identifier = 100; identifier < 1100; identifier++) {
        assert.equal(await echoing.ask(echo(identifier)), 'EPERM');
      }
      const added = tracked() - before;
      assert.ok(added < most(began), `${added} are remembered`);
      const { drops } = (await node.counters(2))!;
      assert.ok(drops.port - port >= AT_ONCE, `${drops.port - port} were counted`);
      assert.equal(await raw.ask(raws(family, 7001, 1)[0]!), 'ok');
      assert.equal(await echoing.ask(echo(77)), 'ok');
    });

    it(`IPv${family}: let answers in at a port that the kernel chose, and nobody else`, async () => {
      const [a, b, stranger] = [node.peer('a'), node.peer('b'), node.peer(undefined, { namespace: 'world' })];
      for (const bind of [[`bind ${ANY[family]} 0`], [`sendto ${WORLD[family]} 9 00`]]) {
        assert.equal(await a.all(`socket ${family} dgram 17`, ...bind), 'ok');
        const port = await a.ask('name');
        assert.equal(await world.all(`socket ${family} dgram 17`, `bind ${ANY[family]} 4000`), 'ok');
        assert.equal(await stranger.all(`socket ${family} dgram 17`, `bind ${ANY[family]} 4001`), 'ok');
        for (const one of [world, stranger]) await one.ask(`sendto ${NODE[family]} ${port} 01`);
        assert.equal(await a.ask('receive 200'), 'ETIMEDOUT', 'nobody was asked');
        assert.equal(await a.ask(`sendto ${WORLD[family]} 4000 02`), 'ok');
        assert.equal(await world.ask('receive 20000'), 'got 02');
        await stranger.ask(`sendto ${NODE[family]} ${port} 03`);
        assert.equal(await world.ask(`sendto ${NODE[family]} ${port} 04`), 'ok');
        assert.equal(await a.ask('receive 20000'), 'got 04');
        // on the node itself, too
        const neighbour = node.peer(undefined);
        assert.equal(await neighbour.all(`socket ${family} dgram 17`, `sendto ${NODE[family]} ${port} 05`), 'ok');
        assert.equal(await a.ask('receive 200'), 'ETIMEDOUT');
      }
      assert.equal(await b.all(`socket ${family} dgram 17`, `bind ${ANY[family]} 7001`), 'ok');
      assert.equal(await stranger.ask(`sendto ${NODE[family]} 7001 06`), 'ok');
      assert.equal(await b.ask('receive 20000'), 'got 06', 'a server at its own port');
      assert.equal(await a.all(`socket ${family} dgram 17`, `sendto ${NODE[family]} 7001 07`), 'ok');
      assert.equal(await b.ask('receive 20000'), 'got 07');
      const ordinary = node.peer('ordinary');
      assert.equal(await ordinary.all(`socket ${family} dgram 17`, `bind ${ANY[family]} 0`), 'ok');
      assert.equal(await stranger.ask(`sendto ${NODE[family]} ${await ordinary.ask('name')} 08`), 'ok');
      assert.equal(await ordinary.ask('receive 20000'), 'got 08', 'a pod that is no sliver');
    });
  }

  it('by TCP go on where a rule of the node’s gives them an address that is not its own', async () => {
    node.net.run(
      'node',
      ['nft', '-f', '-'],
      `table inet other { chain post { type nat hook postrouting priority srcnat;
        oifname "upl0" meta l4proto tcp snat ip to 10.77.0.99; oifname "upl0" meta l4proto tcp snat ip6 to fd77::99; }; }`,
    );
    node.net.run('world', ['ip', 'route', 'add', '10.77.0.99', 'via', NODE[4]]);
    node.net.run('world', ['ip', '-6', 'route', 'add', 'fd77::99', 'via', NODE[6]]);
    for (const family of [4, 6] as const) {
      const a = node.peer('a');
      const server = node.peer(undefined, { namespace: 'world' });
      assert.equal(
        await server.all(`socket ${family} stream 6`, `bind ${ANY[family]} ${9000 + family}`, 'listen'),
        'ok',
      );
      assert.equal(
        await a.all(`socket ${family} stream 6`, `connect ${WORLD[family]} ${9000 + family}`, 'send 6869'),
        'ok',
      );
      assert.equal(await server.all('accept 20000'), 'ok');
      assert.equal(await server.ask('receive 20000'), 'got 6869');
      const forged = family === 4 ? '203.0.113.9' : '2001:db8::bad';
      await a.all(`socket ${family} stream 6`, `option freebind${family} 1`, `bind ${forged} 0`);
      assert.notEqual(
        await a.all('patience 300', `connect ${WORLD[family]} ${9000 + family}`),
        'ok',
        'forged all the same',
      );
    }
    assert.ok((await node.counters(1))!.drops.address > 0);
  });

  it('are judged by what is granted now, and by nothing when the last sliver is gone', async () => {
    const [a, b] = [node.peer('a'), node.peer('b')];
    await enforce(desired([udp(40_001)]));
    assert.equal(await a.all('socket 4 dgram 17', `bind ${ANY[4]} 40001`), 'ok');
    assert.equal(await world.all('socket 4 dgram 17', `sendto ${NODE[4]} 40001 00`), 'ok');
    assert.equal(await a.ask('receive 20000'), 'got 00');
    await enforce(desired([]));
    assert.equal(await world.ask(`sendto ${NODE[4]} 40001 01`), 'ok');
    assert.equal(await a.ask('receive 200'), 'ETIMEDOUT', 'the port was lost');
    await a.ask('close');
    assert.ok((await enforce(desired())) < 20, 'elements alone');
    assert.equal(await b.all('socket 4 dgram 17', `bind ${ANY[4]} 7001`), 'ok');
    await b.ask(`scan ${WORLD[4]} 20000 21999 10`);
    await enforce(desired([udp(7000), udp(7005)]));
    assert.notEqual(await b.ask(`scan ${WORLD[4]} 30000 31999 10`), '2000', 'its bucket is as empty as before');

    const ruleset = (): string => node.net.run('node', ['nft', '-t', 'list', 'ruleset']);
    const made = ruleset();
    await enforcer.stop();
    enforcer = open();
    assert.equal(await enforce(desired([udp(7000), udp(7005)])), 0);
    for (const harm of [
      'flush chain inet slice_operator_connections beginning',
      'add rule inet slice_operator_connections answers accept',
      'delete table inet slice_operator_connections',
    ]) {
      node.net.run('node', ['nft', harm]);
      assert.ok((await enforce(desired([udp(7000), udp(7005)]))) > 0, harm);
      assert.equal(ruleset(), made, harm);
    }
    await enforcer.enforce(makeDesired([podSliver('q', 9, ['10.78.0.9'])]));
    assert.doesNotMatch(ruleset(), /slice_operator_connections/);
    await enforce(desired());
    await enforcer.release();
    await enforcer.release();
    assert.doesNotMatch(ruleset(), /slice_operator_connections/);
  });
});
