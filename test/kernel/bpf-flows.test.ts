import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { arch } from 'node:os';
import { join } from 'node:path';
import { REST } from '../../node-daemonset/bpf/flows.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import type { GuardReplies } from './guard-process.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, tcp, udp } from './host-sliver.ts';
import { icmpEcho } from './packets.ts';

type Flows = GuardReplies['drain']['flows'];

for (const by of ['links', 'tc'] as const) {
  describe(`flows, counted by ${by}`, () => {
    let node: GuardedNode;
    let a: Peer;
    let b: Peer;
    const enforce = (): ReturnType<GuardedNode['enforce']> =>
      node.enforce(
        makeDesired(
          [
            hostSliver('a', 1, { ports: [tcp(7000), udp(7000), icmp(77)], privileges: ['RawSockets'] }),
            hostSliver('b', 2, { ports: [udp(7001)] }),
          ],
          { echoRate: 1000 },
        ),
      );

    before(async () => {
      node = new GuardedNode();
      for (const pod of ['a', 'b']) node.addPod(pod);
      node.start({ tc: by === 'tc' });
      assert.deepEqual((await enforce()).problems, []);
      assert.deepEqual(await enforce(), { writes: 0, problems: [] });
      [a, b] = [node.peer('a'), node.peer('b')];
    });
    after(() => node.remove());
    beforeEach(() => node.drain());

    const drain = async (): Promise<Flows> => (await node.drain()).flows;
    const of = (flows: Flows, sliver: number): Flows => flows.filter((one) => one.sliver === sliver);

    it('say who sent what to whom, when and how much, once', async () => {
      const began = process.hrtime.bigint();
      assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000'), 'ok');
      assert.equal(await a.ask('many 10.77.0.2 9000 10 100'), '10');
      assert.equal(await b.all('socket 6 dgram 17', 'bind fd77::1 7001'), 'ok');
      assert.equal(await b.ask('many fd77::2 9001 5 200'), '5');
      const flows = await drain();
      const [mine] = of(flows, 1);
      assert.deepEqual(
        { ...mine, first: 0, last: 0 },
        {
          ...{ sliver: 1, family: 4, source: '10.77.0.1', destination: '10.77.0.2', protocol: 17 },
          ...{ sourcePort: 7000, destinationPort: 9000, tcpFlags: 0, packets: 10, bytes: 10 * (14 + 20 + 8 + 100) },
          ...{ first: 0, last: 0 },
        },
      );
      const [first, last] = [BigInt(mine!.first), BigInt(mine!.last)];
      assert.ok(first >= began && last > first && last <= process.hrtime.bigint());
      const [theirs] = of(flows, 2);
      assert.deepEqual(
        [theirs?.family, theirs?.source, theirs?.destination, theirs?.destinationPort, theirs?.packets, theirs?.bytes],
        [6, 'fd77::1', 'fd77::2', 9001, 5, 5 * (14 + 40 + 8 + 200)],
      );
      assert.deepEqual(of(await drain(), 1), []);
    });

    it('have all flags of TCP, the identifier of an echo, and every byte of a packet that is cut later', async () => {
      const server = node.peer(undefined, { namespace: 'world' });
      assert.equal(await server.all('socket 4 stream 6', 'bind 0.0.0.0 9002', 'listen'), 'ok');
      assert.equal(await a.all('socket 4 stream 6', 'connect 10.77.0.2 9002', 'send 6869', 'close'), 'ok');
      await node.giveRaw(node.peer('manager', { root: true }), a, { sliver: 1, family: 4, protocol: 1, port: 77 });
      assert.equal(await a.ask(`sendto 10.77.0.2 0 ${icmpEcho(8, 77)}`), 'ok');
      assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'option segment 1000'), 'ok');
      assert.equal(await a.ask(`sendto 10.77.0.2 9003 ${'00'.repeat(4500)}`), 'ok');
      const flows = of(await drain(), 1);
      const syn = flows.find(({ protocol }) => protocol === 6);
      assert.equal(syn!.tcpFlags & 0x1b, 0x1b, 'SYN, ACK, PSH and FIN');
      const echo = flows.find(({ protocol }) => protocol === 1);
      assert.deepEqual([echo?.sourcePort, echo?.destinationPort], [77, 8 << 8]);
      const cut = flows.find(({ destinationPort }) => destinationPort === 9003);
      assert.deepEqual([cut?.packets, cut?.bytes], [5, 4500 + 5 * (14 + 20 + 8)]);
    });

    it('are those of all packets, also where a program of somebody else lets packets pass for good', async () => {
      const second = new GuardedNode('other');
      try {
        second.addPod('a');
        const object = join(second.directory, 'pass.o');
        const source = new URL('programs/pass.c', import.meta.url).pathname;
        const include = `-I/usr/include/${arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
        execFileSync('clang', ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', include, '-c', source, '-o', object]);
        if (by === 'tc') {
          second.net.run('node', ['tc', 'qdisc', 'add', 'dev', 'upl0', 'clsact']);
          const filter = ['dev', 'upl0', 'egress', 'pref', '1', 'bpf', 'direct-action'];
          second.net.run('node', ['tc', 'filter', 'add', ...filter, 'object-file', object, 'section', 'tc']);
        } else {
          const program = new URL('tcx-process.ts', import.meta.url).pathname;
          const stdio = ['pipe', 'pipe', 'inherit'] as const;
          const child = second.net.spawn('node', [process.execPath, program, object, 'upl0'], { stdio: [...stdio] });
          await once(child.stdout!, 'data');
        }
        second.start({ tc: by === 'tc' });
        await second.enforce(makeDesired([hostSliver('a', 1, { ports: [udp(7000)] })]));
        const peer = second.peer('a');
        assert.equal(await peer.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'sendto 10.77.0.2 9 00'), 'ok');
        assert.equal((await second.drain()).flows.filter(({ sliver }) => sliver === 1).length, 1);
      } finally {
        await second.remove();
      }
    });

    it("have one row for what is no sliver's", async () => {
      const nobody = node.peer(undefined);
      for (const to of [9004, 9005])
        assert.equal(await nobody.all('socket 4 dgram 17', `sendto 10.77.0.2 ${to} 00`), 'ok');
      const rows = of(await drain(), 0);
      assert.deepEqual(
        rows.map(({ protocol, source, destination }) => [protocol, source, destination]),
        [[REST, '', '']],
      );
      assert.ok(rows[0]!.packets >= 2);
    });

    it('of a sliver that scans are cut short, but no byte of it and no flow of another', async () => {
      assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000'), 'ok');
      node.net.run('world', ['ip', 'route', 'add', 'blackhole', '10.99.0.0/16']);
      node.net.run('node', ['ip', 'route', 'add', '10.99.0.0/16', 'via', '10.77.0.2']);
      let sent = 0;
      for (const to of ['10.99.0.1', '10.99.0.2']) sent += Number(await a.ask(`scan ${to} 1 65535 10`));
      assert.equal(sent, 2 * 65_535);
      assert.equal(await b.all('socket 4 dgram 17', 'bind 10.77.0.1 7001'), 'ok');
      assert.equal(await b.ask('scan 10.99.0.3 1 1000 10'), '1000');
      const flows = await drain();
      const scanned = of(flows, 1);
      const rest = scanned.find(({ protocol }) => protocol === REST);
      assert.ok(rest && rest.packets > 1000, 'not all had rows of their own');
      assert.equal(
        scanned.reduce((sum, one) => sum + one.packets, 0),
        sent,
      );
      assert.equal(
        scanned.reduce((sum, one) => sum + one.bytes, 0),
        sent * (14 + 20 + 8 + 10),
      );
      assert.equal(of(flows, 2).filter(({ protocol }) => protocol === 17).length, 1000);
    });

    it('are not lost when the node manager is killed', async () => {
      assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000'), 'ok');
      assert.equal(await a.ask('many 10.77.0.2 9006 10 100'), '10');
      await node.kill();
      assert.equal(await a.ask('many 10.77.0.2 9006 10 100'), '10');
      node.start({ tc: by === 'tc' });
      await enforce();
      assert.equal(await a.ask('many 10.77.0.2 9006 10 100'), '10');
      const packets = of(await drain(), 1).filter((one) => one.destinationPort === 9006);
      assert.equal(
        packets.reduce((sum, one) => sum + one.packets, 0),
        30,
      );
    });
  });
}
