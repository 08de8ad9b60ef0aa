import assert from 'node:assert/strict';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, podSliver, tcp, udp } from './host-sliver.ts';
import { type Captured, icmpEcho, parseCaptured, udpHeader } from './packets.ts';

const FAMILIES = {
  4: {
    node: '10.77.0.1',
    world: '10.77.0.2',
    bad: '203.0.113.9',
    any: '0.0.0.0',
    loopback: '127.0.0.1',
    pod: '10.78.0.2',
  },
  6: { node: 'fd77::1', world: 'fd77::2', bad: '2001:db8::bad', any: '::', loopback: '::1', pod: 'fd78::2' },
} as const;

describe('packets of slivers', () => {
  let node: GuardedNode;
  let a: Peer;
  let b: Peer;
  let pod: Peer;
  let world: Peer;
  const desired = (): Desired =>
    makeDesired(
      [
        hostSliver('a', 1, { ports: [tcp(7000), udp(7000), icmp(77)], privileges: ['RawSockets'] }),
        hostSliver('b', 2, { ports: [tcp(7001), udp(7001)] }),
        podSliver('p', 3, ['10.78.0.2', 'fd78::2']),
      ],
      { echoRate: 1000, optionRate: 1000 },
    );
  const dropped = async (number: number): Promise<Record<string, number>> => (await node.counters(number))!.drops;

  before(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'b', 'p', 'ordinary']) node.addPod(uid);
    const { net } = node;
    net.add('pod');
    net.link(['node', 'h0', '10.78.0.1/24'], ['pod', 'eth0', '10.78.0.2/24']);
    net.ip('node', 'addr', 'add', 'fd78::1/64', 'dev', 'h0', 'nodad');
    for (const address of ['fd78::2/64', 'fd78::bad/64']) net.ip('pod', 'addr', 'add', address, 'dev', 'eth0', 'nodad');
    net.ip('pod', 'addr', 'add', '10.78.0.66/24', 'dev', 'eth0');
    net.ip('pod', 'route', 'add', 'default', 'via', '10.78.0.1');
    net.ip('pod', '-6', 'route', 'add', 'default', 'via', 'fd78::1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ping_group_range=0 65534']);
    net.run('world', ['ip', 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.1']);
    net.run('world', ['ip', '-6', 'route', 'add', 'fd78::/64', 'via', 'fd77::1']);
    net.ip('node', 'addr', 'add', 'fd99::1/128', 'dev', 'lo');
    net.ip('node', 'route', 'add', 'local', '10.99.1.0/24', 'dev', 'lo');
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    [a, b, pod, world] = [
      node.peer('a'),
      node.peer('b'),
      node.peer('p', { namespace: 'pod' }),
      node.peer(undefined, { root: true, namespace: 'world' }),
    ];
    assert.equal(await world.ask('capture w0'), 'ok');
  });
  after(() => node.remove());

  let marker = 20_000;
  /** Everything that came out of the node until now: the last packet of it is one that may come. */
  async function captured(): Promise<Captured[]> {
    const port = ++marker;
    await b.all('socket 4 dgram 17', 'bind 10.77.0.1 7001', `sendto 10.77.0.2 ${port} 00`);
    const seen: Captured[] = [];
    for (let left = 200; !seen.some((one) => one.destinationPort === port); left--) {
      assert.notEqual(left, 0, 'the marker never came');
      seen.push(...parseCaptured(await world.ask('captured')));
    }
    return seen.filter((one) => one.destinationPort !== port && [6, 17, 1, 58].includes(one.protocol));
  }

  for (const family of [4, 6] as const) {
    const { node: own, world: far, bad, any, loopback, pod: podAddress } = FAMILIES[family];

    it(`IPv${family}: ordinary clients and servers work`, async () => {
      const server = node.peer(undefined, { namespace: 'world' });
      assert.equal(await server.all(`socket ${family} stream 6`, `bind ${any} ${9000 + family}`, 'listen'), 'ok');
      assert.equal(await a.all(`socket ${family} stream 6`, `connect ${far} ${9000 + family}`, 'send 6869'), 'ok');
      assert.equal(await server.all('accept 20000'), 'ok');
      assert.equal(await server.ask('receive 20000'), 'got 6869');
      assert.equal(await a.all(`socket ${family} stream 6`, 'option reuseaddr 1', `bind ${any} 7000`, 'listen'), 'ok');
      assert.equal(await server.all(`socket ${family} stream 6`, `connect ${own} 7000`, 'send 6869'), 'ok');
      assert.equal(await a.all('accept 20000'), 'ok');
      assert.equal(await a.ask('receive 20000'), 'got 6869');
      assert.equal(await a.all(`socket ${family} dgram 17`, `sendto ${far} 9001 00`), 'ok');
      assert.equal(await a.all(`socket ${family} dgram 17`, `bind ${any} 7000`, `sendto ${far} 9002 00`), 'ok');
      const ports = (await captured()).filter(({ protocol }) => protocol === 17);
      assert.ok(ports.some((one) => one.destinationPort === 9001 && one.source === own));
      assert.ok(ports.some((one) => one.destinationPort === 9002 && one.sourcePort === 7000));
    });

    it(`IPv${family}: no source address but the node's, by FREEBIND, PKTINFO or UDP_SEGMENT`, async () => {
      const before = (await dropped(1)).address!;
      // IPv4 has no route from an address that is not the node's.
      const refused = family === 4 ? 'ENETUNREACH' : 'EPERM';
      const datagram = [`socket ${family} dgram 17`, `option freebind${family} 1`];
      const segments = `sendto ${far} 9 ${'00'.repeat(4000)}`;
      assert.equal(await a.all(...datagram, `bind ${bad} 7000`, `sendto ${far} 9 00`), refused);
      assert.equal(await a.all(...datagram, `bind ${any} 7000`, `sendfrom ${bad} ${far} 9 00`), refused);
      assert.equal(await a.all(...datagram, 'option segment 1000', `bind ${bad} 7000`, segments), refused);
      const stream = [`socket ${family} stream 6`, `option freebind${family} 1`, `bind ${bad} 7000`];
      assert.notEqual(await a.all(...stream, `connect ${far} 9000`), 'ok');
      const forged = (await captured()).filter(({ source }) => source === bad);
      assert.deepEqual(forged, []);
      if (family === 6) assert.ok((await dropped(1)).address! >= before + 4);
      assert.equal(await a.all(`socket ${family} dgram 17`, 'option segment 1000', `bind ${any} 7000`, segments), 'ok');
      assert.ok((await captured()).some((one) => one.sourcePort === 7000 && one.source === own));
    });

    it(`IPv${family}: no port that was lost`, async () => {
      assert.equal(await a.all(`socket ${family} dgram 17`, `bind ${any} 7000`, `sendto ${far} 9 00`), 'ok');
      const slivers = desired().slivers.map((one) =>
        one.number === 1 ? hostSliver('a', 1, { ports: [icmp(77)] }) : one,
      );
      await node.enforce(makeDesired(slivers));
      await captured();
      assert.equal(await a.ask(`sendto ${far} 9 00`), 'EPERM');
      await node.enforce(desired());
    });

    it(`IPv${family}: answers to the node's own programs, which may ask at its ports`, async () => {
      const daemon = node.peer(undefined);
      assert.equal(await a.all(`socket ${family} stream 6`, 'option reuseaddr 1', `bind ${any} 7000`, 'listen'), 'ok');
      assert.equal(await daemon.all(`socket ${family} stream 6`, `connect ${own} 7000`), 'ok');
      assert.equal(await a.all('accept 20000', 'send 6869'), 'ok');
      assert.equal(await daemon.ask('receive 20000'), 'got 6869');
      assert.equal(await a.all(`socket ${family} dgram 17`, `bind ${own} 7000`), 'ok');
      assert.equal(await daemon.all(`socket ${family} dgram 17`, `bind ${own} 0`, `sendto ${own} 7000 6162`), 'ok');
      assert.equal(await a.ask('receive 20000'), 'got 6162');
      const port = await daemon.ask('name');
      assert.equal(await a.ask(`sendto ${own} ${port} 6364`), 'ok');
      assert.equal(await daemon.ask('receive 20000'), 'got 6364');
      assert.equal(await a.all(`socket ${family} dgram 17`, `sendto ${own} ${port} 00`), 'EPERM', 'no answer');
    });

    it(`IPv${family}: no connection that comes to a port that the kernel chose`, async () => {
      const client = node.peer(undefined, { namespace: 'world' });
      assert.equal(await a.all(`socket ${family} stream 6`, `bind ${any} 0`, 'listen'), 'ok');
      const port = await a.ask('name');
      const before = (await dropped(1)).port!;
      assert.notEqual(await client.all(`socket ${family} stream 6`, `connect ${own} ${port}`), 'ok');
      assert.ok((await dropped(1)).port! > before);
    });

    it(`IPv${family}: neither loopback nor the node's listeners, but the sensors, own ports and other slivers'`, async () => {
      const linkLocal = family === 4 ? '169.254.1.1' : 'fe80::1';
      const connect = (to: string, port: number): Promise<string> =>
        a.all(`socket ${family} stream 6`, `connect ${to} ${port}`);
      for (const to of [loopback, any, own, ...(family === 6 ? ['::ffff:127.0.0.1', '::ffff:10.77.0.1'] : [])]) {
        assert.equal(await connect(to, 10250), 'EACCES', to);
        assert.equal(await connect(to, 7000), 'ECONNREFUSED', `own port at ${to}`);
        const udpTo = await a.all(`socket ${family} dgram 17`, `sendto ${to} 10250 00`);
        assert.ok(['EPERM', 'EACCES'].includes(udpTo), `${to}: ${udpTo}`);
      }
      assert.equal(await connect(loopback, 33080), 'ECONNREFUSED');
      assert.equal(await connect(loopback, 7001), 'EACCES');
      assert.equal(await connect(own, 7001), 'ECONNREFUSED');
      assert.equal(await connect(linkLocal, 80), 'EACCES');
    });

    it(`IPv${family}: not what reaches the node's listeners by another way`, async () => {
      const listener = node.peer(undefined, { root: true });
      assert.equal(await listener.all(`socket ${family} dgram 17`, `bind ${any} 5300`), 'ok');
      // the last one is anycast of the node's as a router, or a network's broadcast
      const groups = family === 4 ? ['224.0.0.1', '239.1.1.1', '255.255.255.255'] : ['ff02::1', 'ff01::1', 'ff0e::1'];
      const others = family === 4 ? ['10.77.0.255', '10.99.1.2'] : ['fd77::', 'fd99::1'];
      for (const to of [...groups, ...others]) {
        await a.all(`socket ${family} dgram 17`, `bind ${own} 7000`);
        if (groups.includes(to)) assert.equal(await a.ask('device upl0'), 'ok');
        const answer = await a.ask(`sendto ${to} 5300 6869`);
        assert.ok(['EPERM', 'EACCES'].includes(answer), `${to}: ${answer}`);
      }
      assert.equal(await a.ask('setopt 1 6 1'), 'EPERM', 'SO_BROADCAST');
      assert.equal(await listener.ask('receive 100'), 'ETIMEDOUT');
      assert.equal(await listener.all(`socket ${family} stream 6`, `bind ${any} 5301`, 'listen'), 'ok');
      for (const to of others)
        assert.notEqual(await a.all(`socket ${family} stream 6`, `connect ${to} 5301`), 'ok', `TCP to ${to}`);
      assert.equal(await listener.ask('close'), 'ok');
    });

    it(`IPv${family}: a pod with an address of its own has that one and no other`, async () => {
      const other = family === 4 ? '10.78.0.66' : 'fd78::bad';
      assert.equal(
        await pod.all(`socket ${family} dgram 17`, `bind ${podAddress} 7000`, `sendto ${far} 9003 00`),
        'ok',
      );
      assert.equal(await pod.all(`socket ${family} dgram 17`, `bind ${other} 7000`, `sendto ${far} 9003 00`), 'EPERM');
      assert.equal(await pod.all(`socket ${family} dgram 17`, `sendto ${loopback} 9 00`), 'ok');
      assert.equal(await pod.all(`socket ${family} stream 6`, `bind ${any} 9999`, 'listen'), 'ok');
      const seen = (await captured()).filter((one) => one.destinationPort === 9003);
      assert.deepEqual([...new Set(seen.map(({ source }) => source))], [podAddress]);
    });
  }

  it('are dropped until the address of its pod is known, and after its right is gone', async () => {
    const as = async (change: object): Promise<void> => {
      await node.enforce(makeDesired(desired().slivers.map((one) => (one.number === 3 ? { ...one, ...change } : one))));
    };
    const send = (): Promise<string> => pod.all('socket 4 dgram 17', 'sendto 10.77.0.2 9004 00');
    await as({ addresses: [] });
    const before = await dropped(3);
    assert.equal(await send(), 'EPERM');
    assert.equal(await pod.all('socket 4 dgram 17', 'sendto 127.0.0.1 9 00'), 'ok');
    await as({ standing: 'frozen' });
    assert.equal(await send(), 'EPERM');
    const after = await dropped(3);
    assert.deepEqual([after.unready! - before.unready!, after.ended! - before.ended!], [1, 1]);
    await as({});
    assert.equal(await send(), 'ok');
  });

  it('leave by lines alone where the owner says so, and raw sockets do, too', async () => {
    node.net.add('mgmt');
    node.net.link(['node', 'mg0', '10.98.0.1/24'], ['mgmt', 'eth0', '10.98.0.2/24']);
    // it leads out of the node, by its route, and the owner names another line
    node.net.ip('node', 'route', 'add', 'default', 'via', '10.98.0.2', 'metric', '500');
    const raw = node.peer('a');
    await node.giveRaw(node.peer('manager', { root: true }), raw, { sliver: 1, family: 4, protocol: 17, port: 7000 });
    const send = async (): Promise<string[]> => [
      await a.all('socket 4 dgram 17', 'bind 0.0.0.0 7000', 'sendto 10.98.0.2 9 00'),
      await raw.ask(`sendto 10.98.0.2 0 ${udpHeader(7000, 9)}`),
      await a.all('sendto 10.77.0.2 9 00'),
    ];
    await node.enforce(desired());
    assert.deepEqual(await send(), ['ok', 'ok', 'ok']);
    const { slivers, ports, facts } = desired();
    const lines = [{ interface: 'upl0', rate: undefined }];
    await node.enforce({ slivers, ports, facts: { ...facts, lines, otherInterfaces: 'Drop' } });
    assert.deepEqual(await send(), ['EPERM', 'EPERM', 'ok']);
    await node.enforce(desired());
    assert.deepEqual(await send(), ['ok', 'ok', 'ok']);
  });

  it('of others are not seen by a raw socket of an ordinary pod: replies to an identifier that is owned', async () => {
    const ordinary = node.peer('ordinary', { root: true });
    assert.equal(await ordinary.ask('socket 4 raw 1'), 'ok');
    const reply = (id: number): Promise<string> => world.all('socket 4 raw 1', `sendto 10.77.0.1 0 ${icmpEcho(0, id)}`);
    assert.equal(await reply(77), 'ok');
    assert.equal(await reply(99), 'ok');
    assert.match(await ordinary.ask('receive 20000'), /00630001$/);
    assert.equal(await ordinary.ask('receive 100'), 'ETIMEDOUT');
  });

  it('come from sockets of TCP and UDP alone', async () => {
    for (const protocol of [132, 136, 33])
      assert.equal(await a.ask(`socket 4 dgram ${protocol}`).then(refusal), 'refused');
    assert.equal(await a.ask('socket 4 raw 6'), 'EPERM');
    assert.equal(await a.ask('socket 4 stream 262'), 'EPROTONOSUPPORT', 'MPTCP');
    for (const [family, protocol] of [
      [4, 1],
      [6, 58],
    ])
      assert.equal(await a.ask(`socket ${family} dgram ${protocol}`), 'EACCES', 'ping sockets bind any identifier');
    const rooted = node.peer('a', { root: true });
    for (const family of [4, 6]) assert.equal(await rooted.ask(`socket ${family} raw 6`), 'EACCES');
    assert.equal(await node.peer('ordinary', { root: true }).ask('socket 4 raw 6'), 'ok');
  });

  it('of limited kinds are no more than the owner allows', async () => {
    await node.enforce(makeDesired(desired().slivers, { echoRate: 10, optionRate: 10 }));
    await captured();
    const before = await dropped(1);
    await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'option options4 1');
    const sent = Number(await a.ask('many 10.77.0.2 9005 200 10'));
    await node.giveRaw(node.peer('manager', { root: true }), a, { sliver: 1, family: 4, protocol: 1, port: 77 });
    let echos = 0;
    for (let i = 0; i < 200; i++) echos += (await a.ask(`sendto 10.77.0.2 0 ${icmpEcho(8, 77)}`)) === 'ok' ? 1 : 0;
    const after = await dropped(1);
    const seen = await captured();
    assert.ok(sent >= 10 && sent < 100 && echos >= 10 && echos < 100, `${sent} with options, ${echos} echos`);
    assert.equal(after.optionRate! - before.optionRate!, 200 - sent);
    assert.equal(after.echoRate! - before.echoRate!, 200 - echos);
    assert.equal(seen.filter(({ destinationPort }) => destinationPort === 9005).length, sent);
    await node.enforce(desired());
  });
});

/** Kernels without a protocol say so before anybody else can. */
function refusal(answer: string): string {
  return ['EACCES', 'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT', 'EPERM'].includes(answer) ? 'refused' : answer;
}
