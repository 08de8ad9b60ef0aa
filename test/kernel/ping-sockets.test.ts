/**
 * Ping sockets are bound to identifiers past every hook. What pods that are no slivers send by them is judged as it leaves,
 * and what comes for them as it arrives, also where such a pod is root with every capability.
 */
import assert from 'node:assert/strict';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp } from './host-sliver.ts';
import { icmpEcho, parseCaptured } from './packets.ts';

const NODE = { 4: '10.77.0.1', 6: 'fd77::1' } as const;
const WORLD = { 4: '10.77.0.2', 6: 'fd77::2' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
const PROTOCOL = { 4: 1, 6: 58 } as const;
const REQUEST = { 4: 8, 6: 128 } as const;
const OWNED = 77;
const UNOWNED = 78;

describe('ping sockets of pods that are no slivers', () => {
  let node: GuardedNode;
  let sliver: Peer;
  let world: Peer;

  before(async () => {
    node = new GuardedNode();
    for (const uid of ['a', 'ordinary']) node.addPod(uid);
    node.net.run('node', ['sysctl', '-qw', 'net.ipv4.ping_group_range=0 65534']);
    for (const to of Object.values(WORLD)) node.net.run('node', ['ping', '-c1', '-W5', to]);
    node.start();
    const a = hostSliver('a', 1, { ports: [icmp(OWNED)], privileges: ['RawSockets'] });
    assert.deepEqual((await node.enforce(makeDesired([a], { echoRate: 1000 }))).problems, []);
    sliver = node.peer('a');
    world = node.peer(undefined, { root: true, namespace: 'world' });
    assert.equal(await world.ask('capture w0'), 'ok');
  });
  after(() => node.remove());

  const identifiers = async (): Promise<number[]> =>
    parseCaptured(await world.ask('captured')).flatMap(({ echo }) => echo || []);

  for (const family of [4, 6] as const) {
    for (const root of [false, true]) {
      const who = root ? 'root with every capability' : 'nobody without any';
      it(`IPv${family}, ${who}: send no identifier that is owned, and get no reply to it`, async () => {
        const manager = node.peer('manager', { root: true });
        await node.giveRaw(manager, sliver, { sliver: 1, family, protocol: PROTOCOL[family], port: OWNED });
        const ordinary = node.peer('ordinary', { root });
        const bind = async (identifier: number): Promise<void> =>
          assert.equal(
            await ordinary.all(`socket ${family} dgram ${PROTOCOL[family]}`, `bind ${ANY[family]} ${identifier}`),
            'ok',
          );
        const echo = (identifier: number): string =>
          `sendto ${WORLD[family]} 0 ${icmpEcho(REQUEST[family], identifier)}`;
        await identifiers();

        await bind(UNOWNED);
        assert.equal(await ordinary.ask(echo(0)), 'ok');
        assert.match(await ordinary.ask('receive 20000'), /004e0001$/, 'its own reply');

        await bind(OWNED);
        const { port } = (await node.counters(0))!.drops;
        const told = await ordinary.ask(echo(0));
        // those of IPv6 do not say what became of their packets
        assert.equal(told, family === 4 ? 'EPERM' : 'ok');
        assert.equal((await node.counters(0))!.drops.port, port + 1);
        assert.equal(await sliver.ask(echo(OWNED)), 'ok');
        assert.match(await sliver.ask('receive 20000'), /004d0001$/, 'the owner has its reply');
        assert.equal(await ordinary.ask('receive 200'), 'ETIMEDOUT', 'and nobody else has it');
        assert.deepEqual(
          (await identifiers()).filter((one) => one === OWNED || one === UNOWNED),
          [UNOWNED, OWNED],
        );
      });
    }

    it(`IPv${family}: nor by a socket that is older than the right, or from another of the node's addresses`, async () => {
      const ordinary = node.peer('ordinary', { root: true });
      const another = family === 4 ? '10.99.0.1' : 'fd99::1';
      const bits = family === 4 ? '/32' : '/128';
      node.net.ip('node', 'addr', 'add', another + bits, 'dev', 'lo', ...(family === 6 ? ['nodad'] : []));
      const a = hostSliver('a', 1, { ports: [icmp(OWNED)], privileges: ['RawSockets'] });
      await node.enforce(makeDesired([hostSliver('a', 1)], { echoRate: 1000 }));
      await ordinary.all(`socket ${family} dgram ${PROTOCOL[family]}`, `bind ${another} ${OWNED}`);
      await identifiers();
      const send = (): Promise<string> => ordinary.ask(`sendto ${WORLD[family]} 0 ${icmpEcho(REQUEST[family], 0)}`);
      await send();
      await node.enforce(makeDesired([a], { echoRate: 1000 }));
      await send();
      // the last one that comes is one that may come
      assert.equal(await ordinary.all(`socket ${family} dgram ${PROTOCOL[family]}`, `bind ${NODE[family]} 79`), 'ok');
      await send();
      const seen: number[] = [];
      for (let left = 100; !seen.includes(79) && left > 0; left--) seen.push(...(await identifiers()));
      assert.deepEqual(
        seen.filter((one) => one === OWNED || one === 79),
        [OWNED, 79],
        'once, before it was owned',
      );
    });
  }
});
