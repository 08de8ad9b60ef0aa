import assert from 'node:assert/strict';
import type { RawGrant } from '../../node-daemonset/bpf/kernel.ts';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, podSliver, tcp, udp } from './host-sliver.ts';
import {
  type Captured,
  icmpEcho,
  icmpError,
  ipv4Packet,
  ipv6Packet,
  parseCaptured,
  tcpHeader,
  udpHeader,
} from './packets.ts';

const NODE = { 4: '10.77.0.1', 6: 'fd77::1' } as const;
const WORLD = { 4: '10.77.0.2', 6: 'fd77::2' } as const;

describe('raw sockets of slivers', () => {
  let node: GuardedNode;
  let manager: Peer;
  let world: Peer;
  let holder: Peer;
  const ports = [tcp(7000), udp(7000), icmp(77)];
  const desired = (privileges: 'RawSockets'[] = ['RawSockets']): Desired =>
    makeDesired(
      [
        podSliver('a', 1, ['10.78.0.2'], { ports, privileges }),
        hostSliver('b', 2, { ports: [tcp(7001), udp(7001), icmp(78)] }),
      ],
      { echoRate: 1000, optionRate: 1000 },
    );

  before(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'b']) node.addPod(uid);
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    [manager, holder] = [node.peer('manager', { root: true }), node.peer('a', { namespace: 'world' })];
    world = node.peer(undefined, { root: true, namespace: 'world' });
    assert.equal(await world.ask('capture w0'), 'ok');
  });
  after(() => node.remove());

  let marker = 20_000;
  const b = (): Peer => (other ??= node.peer('b'));
  let other: Peer | undefined;
  async function captured(): Promise<Captured[]> {
    const port = ++marker;
    await b().all('socket 4 dgram 17', 'bind 10.77.0.1 7001', `sendto 10.77.0.2 ${port} 00`);
    const seen: Captured[] = [];
    for (let left = 200; !seen.some((one) => one.destinationPort === port); left--) {
      assert.notEqual(left, 0, 'the marker never came');
      seen.push(...parseCaptured(await world.ask('captured')));
    }
    await b().ask('close');
    return seen.filter((one) => one.destinationPort !== port && [6, 17, 1, 58].includes(one.protocol));
  }

  async function give(
    grant: Partial<RawGrant> & Pick<RawGrant, 'family' | 'protocol' | 'port'>,
    to = holder,
  ): Promise<void> {
    await node.giveRaw(manager, to, { sliver: 1, ...grant });
  }

  for (const family of [4, 6] as const) {
    it(`IPv${family}: TCP and UDP leave from the granted port alone`, async () => {
      for (const [protocol, header] of [
        [6, tcpHeader],
        [17, udpHeader],
      ] as const) {
        await give({ family, protocol, port: 7000 });
        const send = (from: number): Promise<string> => holder.ask(`sendto ${WORLD[family]} 0 ${header(from, 9000)}`);
        assert.equal(await send(7000), 'ok');
        assert.equal(await send(7001), 'EPERM', "another's");
        assert.equal(await send(7999), 'EPERM', "nobody's");
        const seen = (await captured()).filter((one) => one.protocol === protocol && one.destinationPort === 9000);
        assert.deepEqual(
          seen.map(({ source, sourcePort }) => [source, sourcePort]),
          [[NODE[family], 7000]],
        );
      }
    });

    it(`IPv${family}: echo requests carry the granted identifier, and only their replies are seen`, async () => {
      const [protocol, request, reply] = family === 4 ? ([1, 8, 0] as const) : ([58, 128, 129] as const);
      await give({ family, protocol, port: 77 });
      const send = (type: number, id: number): Promise<string> =>
        holder.ask(`sendto ${WORLD[family]} 0 ${icmpEcho(type, id)}`);
      assert.equal(await send(request, 78), 'EPERM');
      assert.equal(await send(reply, 77), 'EPERM');
      assert.equal(
        await world.all(`socket ${family} raw ${protocol}`, `sendto ${NODE[family]} 0 ${icmpEcho(reply, 78)}`),
        'ok',
      );
      assert.equal(await send(request, 77), 'ok');
      const got = await holder.ask('receive 20000');
      assert.match(got, /004d0001$/, 'the reply of identifier 77');
      assert.equal(await holder.ask('receive 100'), 'ETIMEDOUT');
    });
  }

  it('see what comes to their port and nothing else', async () => {
    await give({ family: 4, protocol: 17, port: 7000 });
    const send = (port: number, data: string): Promise<string> =>
      world.all('socket 4 dgram 17', `sendto 10.77.0.1 ${port} ${data}`);
    assert.equal(await send(7001, 'aaaa'), 'ok');
    assert.equal(await send(7000, 'bbbb'), 'ok');
    assert.match(await holder.ask('receive 20000'), /bbbb$/);
    assert.equal(await holder.ask('receive 100'), 'ETIMEDOUT');
  });

  for (const family of [4, 6] as const) {
    it(`IPv${family}: see errors about their own packets and those of a port that they may ask about`, async () => {
      const [protocol, error] = family === 4 ? ([1, '0b000000'] as const) : ([58, '03000000'] as const);
      await give({ family, protocol, port: 77, errorsOf: { protocol: 17, port: 7000 } });
      const packet = family === 4 ? ipv4Packet : ipv6Packet;
      const about = async (from: string, next: number, quoted: string): Promise<void> => {
        const payload = `${error}00000000${packet(from, WORLD[family], next, quoted)}`;
        assert.equal(await world.all(`socket ${family} raw ${protocol}`, `sendto ${NODE[family]} 0 ${payload}`), 'ok');
      };
      const request = family === 4 ? 8 : 128;
      await about(NODE[family], 17, udpHeader(7001, 33434));
      await about(NODE[family], protocol, icmpEcho(request, 78));
      await about(WORLD[family], 17, udpHeader(7000, 33434));
      await about(NODE[family], 17, udpHeader(7000, 33434));
      await about(NODE[family], protocol, icmpEcho(request, 77));
      assert.match(await holder.ask('receive 20000'), /1b58829a00080000$/);
      assert.match(await holder.ask('receive 20000'), /004d0001$/);
      assert.equal(await holder.ask('receive 100'), 'ETIMEDOUT');
    });
  }

  for (const family of [4, 6] as const) {
    const echo = family === 4 ? 1 : 58;
    for (const [protocol, othersPacket] of [
      [17, udpHeader(7001, 9)],
      [6, tcpHeader(7001, 9)],
      [echo, icmpEcho(family === 4 ? 8 : 128, 78)],
    ] as const) {
      it(`IPv${family}, protocol ${protocol}: have no queue of errors, which would hold those about others' packets`, async () => {
        await give({ family, protocol, port: protocol === echo ? 77 : 7000 });
        const answers = [await holder.ask(`option errors4 1`), await holder.ask(`option errors6 1`)];
        assert.ok(
          answers.every((answer) => answer === 'EPERM' || answer === 'ENOPROTOOPT'),
          answers.join(),
        );
        assert.ok(answers.includes('EPERM'));
        const quoted = (family === 4 ? ipv4Packet : ipv6Packet)(NODE[family], WORLD[family], protocol, othersPacket);
        const error = family === 4 ? icmpError(11, quoted) : `0300000000000000${quoted}`;
        assert.equal(await world.all(`socket ${family} raw ${echo}`, `sendto ${NODE[family]} 0 ${error}`), 'ok');
        assert.equal(await holder.ask('error 200'), 'ETIMEDOUT');
      });
    }
  }

  it('write no source address, fragment or protocol of their own', async () => {
    await give({ family: 4, protocol: 6, port: 7000 });
    assert.equal(await holder.ask('option hdrincl4 1'), 'ok', 'the node manager may forbid it, the programs need not');
    const send = (packet: string): Promise<string> => holder.ask(`sendto 10.77.0.2 0 ${packet}`);
    const syn = tcpHeader(7000, 9006);
    assert.equal(await send(ipv4Packet('203.0.113.9', '10.77.0.2', 6, syn)), 'EPERM');
    assert.equal(await send(ipv4Packet('10.77.0.1', '10.77.0.2', 6, syn, 0x2000)), 'EPERM');
    assert.equal(await send(ipv4Packet('10.77.0.1', '10.77.0.2', 6, syn, 0x0001)), 'EPERM');
    assert.equal(await send(ipv4Packet('10.77.0.1', '10.77.0.2', 17, udpHeader(7000, 9006))), 'EPERM');
    assert.equal(await send(ipv4Packet('10.77.0.1', '10.77.0.2', 47, '00'.repeat(20))), 'EPERM');
    assert.equal(await send(ipv4Packet('10.77.0.1', '10.77.0.2', 6, syn)), 'ok');
    assert.deepEqual(
      (await captured())
        .filter((one) => one.destinationPort === 9006 || one.protocol === 47)
        .map(({ source, protocol, sourcePort }) => [source, protocol, sourcePort]),
      [['10.77.0.1', 6, 7000]],
    );
  });

  it('hide nothing behind extension headers of IPv6', async () => {
    await give({ family: 6, protocol: 17, port: 7000 });
    assert.equal(await holder.ask('option hdrincl6 1'), 'ok');
    const send = (next: number, payload: string, from = 'fd77::1'): Promise<string> =>
      holder.ask(`sendto fd77::2 0 ${ipv6Packet(from, 'fd77::2', next, payload)}`);
    const destinationOptions = (next: number, rest: string): string =>
      `${next.toString(16).padStart(2, '0')}00010400000000${rest}`;
    const nested = (depth: number, rest: string): string =>
      depth === 1 ? destinationOptions(17, rest) : destinationOptions(60, nested(depth - 1, rest));
    const own = udpHeader(7000, 9010);
    assert.equal(await send(60, nested(1, udpHeader(7001, 9010))), 'EPERM', "another's port");
    assert.equal(await send(60, nested(8, udpHeader(7001, 9010))), 'EPERM', "another's port, far behind");
    assert.equal(await send(60, nested(9, own)), 'EPERM', 'deeper than is looked');
    assert.equal(await send(44, `1100000000000001${own}`), 'EPERM', 'a fragment that is a whole');
    assert.equal(await send(44, `1100000100000001${own}`), 'EPERM', 'a first fragment');
    assert.equal(await send(50, own), 'EPERM', 'what cannot be read');
    assert.equal(await send(58, icmpEcho(134, 0)), 'EPERM', 'a router advertisement');
    assert.equal(await send(17, own, '2001:db8::bad'), 'EPERM', 'from elsewhere');
    assert.equal(await send(60, nested(8, own)), 'ok');
    assert.equal(await send(17, own), 'ok');
    const seen = (await captured()).filter((one) => one.source === '2001:db8::bad' || one.destinationPort === 9010);
    assert.deepEqual(
      seen.map(({ source, sourcePort }) => [source, sourcePort]),
      [['fd77::1', 7000]],
    );
  });

  it("reach no listener of the node's", async () => {
    await give({ family: 4, protocol: 6, port: 7000 });
    for (const to of ['127.0.0.1', '10.77.0.1']) {
      assert.equal(await holder.ask(`sendto ${to} 0 ${tcpHeader(7000, 10250)}`), 'EPERM', to);
    }
  });

  it('keep their restrictions in the hands of another slice, and without the node manager', async () => {
    await give({ family: 4, protocol: 17, port: 7000 });
    const second = node.peer('b');
    await node.pass(holder, second);
    const send = (from: number): Promise<string> => second.ask(`sendto 10.77.0.2 0 ${udpHeader(from, 9007)}`);
    assert.equal(await send(7000), 'ok');
    assert.equal(await send(7001), 'EPERM', "its holder's own");
    await node.kill();
    assert.equal(await send(7000), 'ok');
    assert.equal(await send(7001), 'EPERM');
    node.start();
    await node.enforce(desired());
    assert.equal(await send(7000), 'ok');
    assert.equal(await send(7001), 'EPERM');
  });

  it('send nothing before they are bound to a grant', async () => {
    assert.equal(await manager.ask('socket 4 raw 17'), 'ok');
    assert.equal(await manager.ask(`sendto 10.77.0.2 0 ${udpHeader(7000, 9008)}`), 'EPERM');
  });

  it('are told from the node manager’s own probes, which carry a mark', async () => {
    assert.equal(await manager.all('socket 4 raw 1', 'option mark 46', `sendto 10.77.0.2 0 ${icmpEcho(8, 99)}`), 'ok');
    assert.match(await manager.ask('receive 20000'), /0063/);
  });

  it('end with the port, with the privilege, and do not come back with it', async () => {
    await give({ family: 4, protocol: 17, port: 7000 });
    const send = (): Promise<string> => holder.ask(`sendto 10.77.0.2 0 ${udpHeader(7000, 9009)}`);
    assert.equal(await send(), 'ok');
    const without = desired().slivers.map((one) =>
      one.number === 1 ? podSliver('a', 1, ['10.78.0.2'], { ports: [tcp(7000)], privileges: ['RawSockets'] }) : one,
    );
    await node.enforce(makeDesired(without));
    assert.equal(await send(), 'EPERM', 'the port is gone');
    await node.enforce(desired());
    assert.equal(await send(), 'EPERM', 'the port is back');
    await give({ family: 4, protocol: 17, port: 7000 });
    assert.equal(await send(), 'ok');
    await node.enforce(desired([]));
    assert.equal(await send(), 'EPERM', 'the privilege is gone');
    assert.deepEqual(await node.request({ generation: 1 }), {});
    await node.enforce(desired());
    assert.equal(await send(), 'EPERM', 'it is another generation');
    await give({ family: 4, protocol: 17, port: 7000 });
    assert.equal(await send(), 'ok');
    await node.enforce(makeDesired(desired().slivers.slice(1)));
    assert.equal(await send(), 'EPERM', 'the sliver is gone');
  });
});
