/** Whom packets to and from owned ports lead to, on the real kernel. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { RspecPort } from '../../crds/types.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { OWNED, PortsEnforcer, sliver } from './ports-enforcer.ts';
import { FAMILIES, NODE, OTHER, type PortsWorld, WORLD } from './ports-world.ts';

describe('the ports enforcer on the real kernel', () => {
  let ports: PortsEnforcer;
  let world: PortsWorld;

  beforeEach(() => {
    ports = new PortsEnforcer();
    ({ world } = ports);
  });
  afterEach(() => ports.remove());

  for (const family of FAMILIES) {
    describe(`IPv${family}`, () => {
      it('leads an owned port of the node to the pod: from outside, from the node, from other pods, from itself', async () => {
        assert.deepEqual((await ports.enforce(makeDesired([sliver()]))).problems, []);
        const pod = await world.answer('pod', family, OWNED);
        for (const from of ['world', 'node', 'other', 'pod']) {
          assert.equal(await world.ask(from, family, NODE[family], OWNED), `${NODE[family]} ${OWNED}`, from);
        }
        assert.ok(pod.seen.length >= 4);
        await world.sees(pod, new RegExp(`^pod ${WORLD[family]} \\d+$`));
      });

      it('leaves services theirs whose addresses a service proxy made local', async () => {
        await ports.enforce(makeDesired([sliver()]));
        const pod = await world.answer('pod', family, OWNED);
        const service = { 4: '10.96.0.50', 6: 'fd96::50' }[family];
        // an interface without any packets: kube-proxy's is of a kind that not every kernel has
        world.net.ip('node', 'link', 'add', 'kube-ipvs0', 'type', 'bridge');
        world.net.ip('node', 'addr', 'add', service, 'dev', 'kube-ipvs0', ...(family === 6 ? ['nodad'] : []));
        await ports.enforce(makeDesired([sliver()]));
        for (const from of ['other', 'node']) assert.equal(await world.ask(from, family, service, OWNED), '', from);
        assert.deepEqual(pod.seen, []);
        const proxy = await world.answer('node', family, OWNED, 'service');
        await world.ask('other', family, service, OWNED);
        await world.sees(proxy, /^service /);
      });

      it('keeps it from hostPorts of others, and lets them have theirs', async () => {
        const to = { 4: `ip to ${OTHER[4]}:7`, 6: `ip6 to [${OTHER[6]}]:7` }[family];
        world.nft(
          'add table inet portmap',
          'add chain inet portmap pre { type nat hook prerouting priority dstnat; }',
          'add chain inet portmap out { type nat hook output priority -100; }',
          `add rule inet portmap pre udp dport { ${OWNED}, 8053 } dnat ${to}`,
          `add rule inet portmap out udp dport { ${OWNED}, 8053 } dnat ${to}`,
        );
        await world.answer('other', family, 7);
        for (const network of ['Pod', 'Host'] as const) {
          await ports.enforce(makeDesired([sliver({ network })]));
          const where = network === 'Pod' ? 'pod' : 'node';
          const owner = await world.answer(where, family, OWNED);
          for (const from of ['world', 'node', 'other']) await world.ask(from, family, NODE[family], OWNED);
          assert.ok(owner.seen.length >= 3, network);
          assert.equal(await world.ask('world', family, NODE[family], 8053), `${NODE[family]} 8053`);
        }
      });

      it('lets the owner’s packets leave from it, and nobody else’s', async () => {
        world.masquerade();
        await ports.enforce(makeDesired([sliver()]));
        const outside = await world.answer('world', family, 9);
        assert.equal(await world.ask('other', family, WORLD[family], 9, OWNED), `${WORLD[family]} 9`);
        const [line] = outside.seen;
        assert.match(line!, new RegExp(`^world ${NODE[family]} `));
        const port = Number(line!.split(' ')[2]);
        assert.notEqual(port, OWNED);
        assert.ok(port >= 32_768 && port <= 60_999, `${port} is one that the kernel hands out`);
        assert.equal(await world.ask('pod', family, WORLD[family], 9, OWNED), `${WORLD[family]} 9`);
        await world.sees(outside, new RegExp(`^world ${NODE[family]} ${OWNED}$`));
      });

      it('lets nothing leave from it that a stranger’s masquerade put there', async () => {
        world.masquerade(`to :${OWNED}`);
        await ports.enforce(makeDesired([sliver()]));
        const outside = await world.answer('world', family, 9);
        assert.equal(await world.ask('other', family, WORLD[family], 9, 50_000), '');
        assert.deepEqual(outside.seen, []);
      });
    });
  }

  it('drops what asks for an owned port whose pod is not there yet, and leads it there as soon as it is', async () => {
    await ports.enforce(makeDesired([sliver({ addresses: [] })]));
    const client = world.keepAsking('world', NODE[4], OWNED);
    await client.until('asked 5 times');
    const pod = await world.answer('pod', 4, OWNED);
    await ports.enforce(makeDesired([sliver()]));
    await client.until(`${NODE[4]} ${OWNED}`);
    assert.ok(pod.seen.length > 0);
  });

  it('cuts off what went on from the port before it had this owner', async () => {
    world.nft(
      'add table inet portmap',
      'add chain inet portmap pre { type nat hook prerouting priority dstnat; }',
      `add rule inet portmap pre udp dport ${OWNED} dnat ip to ${OTHER[4]}:7`,
    );
    world.masquerade();
    await world.answer('other', 4, 7);
    const outside = await world.answer('world', 4, 9);
    const guest = world.keepAsking('world', NODE[4], OWNED);
    await guest.until(`${NODE[4]} ${OWNED}`);
    // a masquerade that happened to take the very port
    world.nft('flush chain inet cni post', `add rule inet cni post udp sport 50000 masquerade to :${OWNED}`);
    assert.equal(await world.ask('other', 4, WORLD[4], 9, 50_000), `${WORLD[4]} 9`);
    await world.sees(outside, new RegExp(` ${OWNED}$`));
    await ports.enforce(makeDesired([sliver()]));
    const before = guest.answers();
    await guest.until(`asked ${guest.asked() + 10} times`);
    assert.ok(guest.answers() - before <= 1, 'but for one that was on its way');
    outside.seen.length = 0;
    assert.equal(await world.ask('other', 4, WORLD[4], 9, 50_000), '');
    assert.deepEqual(outside.seen, []);
  });

  it('leaves on the node what an earlier chain of ours claims, as for raw sockets', async () => {
    await ports.enforce(makeDesired([sliver()]));
    world.nft(
      'add table inet earlier',
      'add chain inet earlier raw { type nat hook prerouting priority -102; }',
      `add rule inet earlier raw udp dport ${OWNED} fib daddr type local dnat ip to ip daddr`,
      `add rule inet earlier raw udp dport ${OWNED} fib daddr type local dnat ip6 to ip6 daddr`,
    );
    await world.answer('pod', 4, OWNED);
    const onNode = await world.answer('node', 4, OWNED);
    assert.equal(await world.ask('world', 4, NODE[4], OWNED), `${NODE[4]} ${OWNED}`);
    assert.equal(onNode.seen.length, 1);
  });

  it('leads a client that never pauses to the pod that takes the place of another', async () => {
    await ports.enforce(makeDesired([sliver()]));
    const first = await world.answer('pod', 4, OWNED);
    const client = world.keepAsking('world', NODE[4], OWNED);
    await client.until(`${NODE[4]} ${OWNED}`);
    await first.stop();
    const second = await world.answer('other', 4, OWNED);
    await ports.enforce(makeDesired([sliver({ addresses: Object.values(OTHER) })]));
    await world.sees(second, /^other/);
  });

  it('leads TCP to the pod, too, and gives a host-network sliver its own port', async () => {
    const tcp: RspecPort = { protocol: 'TCP', port: OWNED };
    for (const network of ['Pod', 'Host'] as const) {
      await ports.enforce(makeDesired([sliver({ network }, [tcp])]));
      const server = world.net.spawn(network === 'Pod' ? 'pod' : 'node', [process.execPath, '-e', SAY, network]);
      const got = world.net.spawn('world', [process.execPath, '-e', LISTEN_TO, NODE[6]], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      assert.equal(await text(got.stdout!), network);
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  });

  it('gives a port of a pod to nobody when its right is gone, and keeps it from the others', async () => {
    world.masquerade();
    // it is granted still, and this pod is not who has it
    const lost = { ...makeDesired([sliver({ standing: 'penalised' })]), ports: sliver().amounts.ports };
    await ports.enforce(lost);
    const pod = await world.answer('pod', 4, OWNED);
    const outside = await world.answer('world', 4, 9);
    assert.equal(await world.ask('world', 4, NODE[4], OWNED), '');
    await pod.stop();
    assert.equal(await world.ask('pod', 4, WORLD[4], 9, OWNED), `${WORLD[4]} 9`);
    assert.doesNotMatch(outside.seen[0]!, new RegExp(` ${OWNED}$`));
  });

  it('lets an owned identifier of echo requests leave from its owner’s pod only', async () => {
    world.masquerade();
    await ports.enforce(makeDesired([sliver({}, [{ protocol: 'ICMP', port: 4711 }])]));
    for (const family of FAMILIES) {
      const capture = await world.capture('world', 'w0', family === 4 ? 'icmp[0] == 8' : 'icmp6 and ip6[40] == 128');
      for (const from of ['other', 'pod']) {
        world.net.run(from, ['ping', '-e', '4711', '-c', '1', '-W', '2', WORLD[family]]);
      }
      const ids = await capture.ids(2);
      assert.notEqual(ids[0], 4711, 'somebody else’s');
      assert.equal(ids[1], 4711, 'the owner’s');
    }
  });

  it('lets no pod send from the node’s own address, also without a port', async () => {
    await ports.enforce(makeDesired([sliver({}, [{ protocol: 'ICMP', port: 4711 }])]));
    const capture = await world.capture('world', 'w0', 'icmp6 and ip6[40] == 128');
    world.net.ip('other', 'addr', 'add', `${NODE[6]}/128`, 'dev', 'lo', 'nodad');
    const ping = (from: string, id: string): void => {
      const argv = ['ping', '-I', from, '-e', id, '-c', '1', '-W', '1', WORLD[6]];
      world.net.run('other', ['sh', '-c', `${argv.join(' ')} || true`]);
    };
    ping(NODE[6], '4711');
    ping(OTHER[6], '4712');
    assert.deepEqual(await capture.ids(1), [4712]);
  });

  it('drops what slivers send by another way than the lines, where the owner wants that, and nobody else’s', async () => {
    world.net.ip('node', 'link', 'add', 'side0', 'link', 'upl0', 'type', 'macvlan');
    world.net.ip('node', 'addr', 'add', '10.90.9.1/24', 'dev', 'side0');
    world.net.ip('node', 'link', 'set', 'side0', 'up');
    world.net.ip('world', 'addr', 'add', '10.90.9.2/24', 'dev', 'w0');
    world.net.ip('world', 'route', 'add', '10.90.0.0/16', 'via', '10.90.9.1');
    const lines = [{ interface: 'upl0', rate: undefined }];
    world.masquerade();
    await world.answer('world', 4, 9);
    const reach = (from: string) => world.ask(from, 4, '10.90.9.2', 9);
    await ports.enforce(makeDesired([sliver()], { lines, otherInterfaces: 'Count' }));
    assert.equal(await reach('pod'), '10.90.9.2 9');
    await ports.enforce(makeDesired([sliver()], { lines, otherInterfaces: 'Drop' }));
    assert.equal(await reach('pod'), '');
    assert.equal(await reach('other'), '10.90.9.2 9');
    assert.equal(await world.ask('pod', 4, WORLD[4], 9), `${WORLD[4]} 9`, 'by the line');
    await world.answer('other', 4, 9);
    assert.equal(await world.ask('pod', 4, OTHER[4], 9), `${OTHER[4]} 9`, 'on the node itself');
  });
});

/** Says a word to whoever connects. */
const SAY = `require('net').createServer((socket) => socket.end(process.argv[1])).listen({ port: ${OWNED}, host: '::' })`;
/** Prints what an address has to say, as soon as it listens. */
const LISTEN_TO = `(function again() {
  require('net').connect(${OWNED}, process.argv[1]).on('error', () => setTimeout(again, 50)).pipe(process.stdout);
})()`;
