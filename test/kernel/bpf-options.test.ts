import assert from 'node:assert/strict';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, tcp, udp } from './host-sliver.ts';
import { ipv6Packet, udpHeader } from './packets.ts';

const IP = 0;
const IPV6 = 41;
const RECVERR = { 4: [IP, 11], 6: [IPV6, 25] } as const;

describe('options of sockets', () => {
  let node: GuardedNode;
  let manager: Peer;
  let holder: Peer;
  const ports = [tcp(7000), udp(7000), icmp(77)];
  const desired = (optionRate = 1000): Desired =>
    makeDesired(
      [hostSliver('a', 1, { ports, privileges: ['RawSockets'] }), hostSliver('b', 2, { ports: [udp(7001)] })],
      { optionRate },
    );

  before(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'b', 'ordinary']) node.addPod(uid);
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    [manager, holder] = [node.peer('manager', { root: true }), node.peer('a')];
  });
  after(() => node.remove());

  const give = (family: 4 | 6, protocol: 1 | 6 | 17 | 58, port: number): Promise<void> =>
    node.giveRaw(manager, holder, { sliver: 1, family, protocol, port });

  it('make nobody the multicast router of the node, or take packets that it forwards', async () => {
    await give(6, 58, 77);
    assert.equal(await holder.ask(`setopt ${IPV6} 200 1`), 'EPERM', 'MRT6_INIT');
    assert.equal(await holder.ask(`setopt ${IPV6} 22 1`), 'EPERM', 'IPV6_ROUTER_ALERT');
    assert.equal(node.net.run('node', ['cat', '/proc/sys/net/ipv6/conf/all/mc_forwarding']).trim(), '0');
    for (const protocol of [1, 6, 17] as const) {
      await give(4, protocol, protocol === 1 ? 77 : 7000);
      assert.equal(await holder.ask(`setopt ${IP} 5 1`), 'EPERM', 'IP_ROUTER_ALERT');
      assert.equal(await holder.ask(`setopt ${IP} 200 1`), 'EPERM', 'MRT_INIT');
    }
  });

  it('that ping and traceroute need are there', async () => {
    await give(4, 1, 77);
    for (const [level, name, value] of [
      [1, 8, 65536],
      [IP, 2, 3],
      [IP, 1, 16],
      [IP, 10, 2],
      [IP, 12, 1],
      [255, 1, 0],
      [1, 29, 1],
    ])
      assert.equal(await holder.ask(`setopt ${level} ${name} ${value}`), 'ok', `${level} ${name}`);
    await give(6, 58, 77);
    for (const [level, name, value] of [
      [IPV6, 16, 3],
      [IPV6, 51, 1],
      [IPV6, 67, 16],
    ])
      assert.equal(await holder.ask(`setopt ${level} ${name} ${value}`), 'ok', `${level} ${name}`);
  });

  for (const family of [4, 6] as const) {
    it(`IPv${family}: show no errors about packets of others`, async () => {
      const [own, world] = family === 4 ? ['10.77.0.1', '10.77.0.2'] : ['fd77::1', 'fd77::2'];
      for (const protocol of [17, 6] as const) {
        await give(family, protocol, 7000);
        assert.equal(await holder.ask(`setopt ${RECVERR[family].join(' ')} 1`), 'EPERM');
        const other = node.peer('b');
        assert.equal(await other.all(`socket ${family} dgram 17`, `bind ${own} 7001`), 'ok');
        assert.equal(await other.ask(`setopt ${RECVERR[family].join(' ')} 1`), 'ok');
        await other.ask(`sendto ${world} 4444 534543524554`);
        let answer = '';
        for (let left = 100; left > 0 && answer !== 'quoted 534543524554'; left--) answer = await other.ask('quoted');
        assert.equal(answer, 'quoted 534543524554', 'the error has come');
        assert.equal(await holder.ask('quoted'), 'EAGAIN');
        assert.equal(await other.ask('close'), 'ok');
      }
    });
  }

  it('choose no port, and join no group for which the node would send packets', async () => {
    const b = node.peer('b');
    assert.equal(await b.all('socket 4 dgram 17', 'ports 53000'), 'EPERM');
    assert.equal(await b.ask('setopt 1 6 1'), 'EPERM', 'SO_BROADCAST');
    for (const name of [35, 39, 42, 46]) assert.equal(await b.ask(`setopt ${IP} ${name} 0`), 'EPERM', String(name));
    assert.equal(await b.all('socket 6 dgram 17', `setopt ${IPV6} 20 0`), 'EPERM');
    const ordinary = node.peer('ordinary');
    assert.equal(await ordinary.all('socket 4 dgram 17', 'ports 53000'), 'ok');
  });

  it('of more than a page reach the kernel as they are', async () => {
    assert.equal(await node.peer('ordinary').all('socket 4 dgram 17', 'big'), 'ENODEV');
  });

  it('that name another destination than the header are of no use', async () => {
    await give(6, 17, 7000);
    assert.equal(await holder.ask(`setopt ${IPV6} 57 0`), 'EPERM', 'IPV6_RTHDR');
    assert.equal(await holder.ask('option hdrincl6 1'), 'ok');
    const routing = '1102040100000000fd770000000000000000000000000002';
    const packet = ipv6Packet('fd77::1', 'fd77::2', 43, `${routing}${udpHeader(7000, 9)}`);
    assert.equal(await holder.ask(`sendto fd77::2 0 ${packet}`), 'EPERM');
  });

  it('in segments of one packet count as often as they leave', async () => {
    await node.enforce(desired(1));
    const a = node.peer('a');
    assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'option options4 1'), 'ok');
    assert.equal(await a.ask('option segment 10'), 'ok');
    assert.equal(await a.ask('many 10.77.0.2 9 10 500'), '1', '50 packets at once, and then none for long');
    await node.enforce(desired());
  });
});
