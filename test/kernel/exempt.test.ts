/** Destinations exempt from the node's limit, for what leaves from the node's own network: its sockets', and raw sockets'. */
import assert from 'node:assert/strict';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, podSliver, udp } from './host-sliver.ts';
import { udpHeader } from './packets.ts';

const COUNTED = { 4: '10.77.0.2', 6: 'fd77::2' } as const;
const EXEMPT = { 4: '192.0.2.1', 6: '2001:db8:1::1' } as const;
const DESTINATIONS = ['192.0.2.0/24', '2001:db8:1::/48'];

describe('exempt destinations on the node’s network', () => {
  let node: GuardedNode;
  let egress: RemoteEnforcer;
  let host: Peer;
  let manager: Peer;

  const desired = (destinations: string[]): Desired =>
    makeDesired(
      [
        hostSliver('a', 1, { ports: [udp(7000), udp(7001)], privileges: ['RawSockets'] }),
        podSliver('p', 2, ['10.78.0.2'], { ports: [udp(7100)], privileges: ['RawSockets'] }),
      ],
      { lines: [{ interface: 'upl0', rate: 100e6 }], exempt: { destinations, limit: undefined } },
    );
  const enforce = async (destinations: string[]): Promise<void> => {
    assert.deepEqual((await egress.enforce(desired(destinations))).problems, []);
    assert.deepEqual((await node.enforce(desired(destinations))).problems, []);
  };
  /** Packets by class, in hexadecimal as tc has them, since the last call; of one that was made since, all. */
  let last = new Map<string, number>();
  const sent = async (destinations = DESTINATIONS): Promise<Record<string, number>> => {
    await egress.enforce(desired(destinations));
    const now = new Map(Object.entries(await egress.counters()).map(([minor, { packets }]) => [minor, packets]));
    const since = (minor: string, packets: number): number =>
      packets >= (last.get(minor) ?? 0) ? packets - (last.get(minor) ?? 0) : packets;
    const added = [...now].map(([minor, packets]) => [Number(minor).toString(16), since(minor, packets)]);
    last = now;
    const leaves = added.filter(([minor, packets]) => packets !== 0 && !['1', '10', '20'].includes(String(minor)));
    return Object.fromEntries(leaves) as Record<string, number>;
  };

  before(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'p']) node.addPod(uid);
    const { net } = node;
    for (const family of [4, 6] as const) {
      const address = EXEMPT[family] + (family === 4 ? '/32' : '/128');
      net.ip('world', 'addr', 'add', address, 'dev', 'lo', ...(family === 6 ? ['nodad'] : []));
    }
    net.run('world', ['ping', '-c1', '-W5', '10.77.0.1']);
    net.run('world', ['ping', '-c1', '-W5', 'fd77::1']);
    egress = new RemoteEnforcer(net, 'node');
    node.start();
    await enforce(DESTINATIONS);
    [host, manager] = [node.peer('a'), node.peer('manager', { root: true })];
    await sent();
  });
  after(() => node.remove());

  for (const family of [4, 6] as const) {
    it(`IPv${family}: a sliver's packets there leave in its second class, and count for it`, async () => {
      await node.drain();
      assert.equal(await host.all(`socket ${family} dgram 17`, `bind ${family === 4 ? '0.0.0.0' : '::'} 7000`), 'ok');
      assert.equal(await host.ask(`many ${COUNTED[family]} 9 10 100`), '10');
      assert.equal(await host.ask(`many ${EXEMPT[family]} 9 20 100`), '20');
      const classes = await sent();
      assert.deepEqual([classes['101'], classes['8101']], [10, 20]);
      const flows = (await node.drain()).flows.filter(({ sliver }) => sliver === 1);
      const to = (destination: string): number | undefined =>
        flows.find((flow) => flow.destination === destination)?.packets;
      assert.deepEqual([to(COUNTED[family]), to(EXEMPT[family])], [10, 20]);
    });

    it(`IPv${family}: so do those of raw sockets, also of a sliver with an address of its own`, async () => {
      const holders = [
        [1, 7001, 'a', '101', '8101'],
        [2, 7100, 'p', '102', '8102'],
      ] as const;
      for (const [sliver, port, pod, first, second] of holders) {
        const holder = node.peer(pod);
        await node.giveRaw(manager, holder, { sliver, family, protocol: 17, port });
        for (const [to, times] of [
          [COUNTED[family], 3],
          [EXEMPT[family], 5],
        ] as const) {
          for (let i = 0; i < times; i++) assert.equal(await holder.ask(`sendto ${to} 0 ${udpHeader(port, 9)}`), 'ok');
        }
        const classes = await sent();
        assert.deepEqual([classes[first], classes[second]], [3, 5]);
      }
    });
  }

  it('lead to no class before it is gone, and neither does a sliver that has ended', async () => {
    const heir = node.peer('p');
    assert.equal(await host.all('socket 4 dgram 17', 'bind 0.0.0.0 7000'), 'ok');
    await node.pass(host, heir);
    await node.request({ retreat: desired(['192.0.2.1']) });
    assert.equal(await heir.ask(`many ${EXEMPT[4]} 9 3 100`), '3');
    assert.deepEqual((await sent())['101'], 3, 'its class is there, and nothing leads to it');
    const [, other] = desired(DESTINATIONS).slivers;
    await node.request({ retreat: { ...desired(DESTINATIONS), slivers: [other!] } });
    assert.equal(await heir.ask(`sendto ${COUNTED[4]} 9 00`), 'EPERM');
    assert.deepEqual(await sent(), {});
    await enforce(DESTINATIONS);
    assert.equal(await heir.ask(`sendto ${COUNTED[4]} 9 00`), 'ok', 'it was alive');
    await heir.ask('close');
    await host.ask('close');
    await sent();
  });

  it('are exempt no more when the owner says so, and again without a restart', async () => {
    assert.equal(await host.all('socket 4 dgram 17', 'bind 0.0.0.0 7000'), 'ok');
    await enforce([]);
    assert.equal((await node.enforce(desired([]))).writes, 0);
    assert.equal(await host.ask(`many ${EXEMPT[4]} 9 7 100`), '7');
    await enforce(['192.0.2.1']);
    assert.equal((await node.enforce(desired(['192.0.2.1']))).writes, 0);
    assert.equal(await host.ask(`many ${EXEMPT[4]} 9 8 100`), '8');
    const classes = await sent(['192.0.2.1']);
    assert.deepEqual([classes['101'], classes['8101']], [7, 8]);
  });
});
