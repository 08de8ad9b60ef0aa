/** What the ports enforcer finds on the node, keeps there and gives back, on the real kernel. */
import assert from 'node:assert/strict';
import type { RspecPort } from '../../crds/types.ts';
import type { HeldPort } from '../../node-daemonset/admission/held.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { OWNED, PortsEnforcer, sliver, udp } from './ports-enforcer.ts';
import { OTHER, type PortsWorld } from './ports-world.ts';

describe('what the ports enforcer keeps on the real kernel', () => {
  let ports: PortsEnforcer;
  let world: PortsWorld;

  beforeEach(() => {
    ports = new PortsEnforcer();
    ({ world } = ports);
  });
  afterEach(() => ports.remove());

  it('names whoever has a port, by socket or by rule', async () => {
    const asked: RspecPort[] = [
      ...(['TCP', 'UDP', 'ICMP'] as const).map((protocol) => ({ protocol, port: OWNED })),
      udp(8053),
      udp(8054),
      { protocol: 'TCP', port: 8055 },
    ];
    assert.deepEqual(await ports.ask<HeldPort[]>({ held: asked }), []);
    assert.equal(ports.reserved(), `${OWNED}`, 'reserved before it was looked for');
    await world.answer('node', 6, OWNED);
    world.nft(
      'add table inet portmap',
      'add chain inet portmap pre { type nat hook prerouting priority dstnat; }',
      `add rule inet portmap pre udp dport { 8053, 8060-8070 } dnat ip to ${OTHER[4]}:7`,
      `add rule inet portmap pre ip daddr 192.0.2.1 udp dport 8054 dnat ip to ${OTHER[4]}:7`,
    );
    world.net.run('node', [
      'iptables',
      '-t',
      'nat',
      '-A',
      'PREROUTING',
      '-p',
      'tcp',
      '-m',
      'multiport',
      '--dports',
      '8055,8056',
      '-j',
      'DNAT',
      '--to',
      OTHER[4],
    ]);
    const held = await ports.ask<HeldPort[]>({ held: asked });
    assert.deepEqual(
      held.map(({ protocol, port, by }) => `${protocol} ${port} ${by.replace(/^\w+ \(pid \d+\)$/, 'a process')}`),
      [
        `UDP ${OWNED} a process`,
        'UDP 8053 a rule of table inet portmap, chain pre',
        "TCP 8055 a rule of iptables' chain PREROUTING",
      ],
    );
  });

  it('reserves owned ports beside the owner’s entries, also more than one write takes, and gives his back', async () => {
    world.net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_local_reserved_ports=33000,40001-40002']);
    await ports.enforce(makeDesired([sliver({}, [udp(OWNED), udp(50_000), udp(8080)])]));
    assert.equal(ports.reserved(), '33000,40001-40002,50000');
    const many = Array.from({ length: 2000 }, (_, i) => udp(34_000 + 3 * i));
    await ports.enforce(makeDesired([sliver({}, many)]));
    assert.equal(ports.reserved().length > 4092, true);
    assert.equal(ports.reserved().split(',').length, 2002);
    await ports.restart();
    assert.equal(
      (await ports.enforce(makeDesired([sliver({}, many)]))).writes,
      0,
      'nothing is to be done after a restart',
    );
    await ports.ask({ release: true });
    assert.equal(ports.reserved(), '33000,40001-40002');
  });

  it('writes nothing when all is as it should be, mends what somebody changed, and leaves nothing behind', async () => {
    const before = ports.ruleset();
    const desired = makeDesired([sliver()], {
      otherInterfaces: 'Drop',
      lines: [{ interface: 'upl0', rate: undefined }],
    });
    assert.ok((await ports.enforce(desired)).writes > 0);
    await ports.restart();
    assert.equal((await ports.enforce(desired)).writes, 0);
    const made = ports.ruleset();
    const harm = [
      `delete element inet slice_operator_ports owned { 17 . ${OWNED} }`,
      'flush chain inet slice_operator_ports leaving',
      `add element inet slice_operator_ports own4 { 192.0.2.9 . 17 . ${OWNED} }`,
    ];
    for (const one of harm) {
      world.nft(one);
      assert.ok((await ports.enforce(desired)).writes > 0, one);
      assert.equal(ports.ruleset(), made, one);
    }
    await ports.enforce(makeDesired([]));
    assert.equal(ports.ruleset(), before, 'nobody owns anything any more');
    assert.equal(ports.reserved(), '');
    await ports.enforce(desired);
    await ports.ask({ release: true });
    await ports.ask({ release: true });
    assert.equal(ports.ruleset(), before);
    assert.equal(ports.reserved(), '');
  });

  it('takes a thousand slivers with ports in one pass', async () => {
    const slivers = Array.from({ length: 1000 }, (_, i) =>
      makeSliver(
        `s${i}`,
        { ports: [udp(10_000 + i), { protocol: 'TCP', port: 10_000 + i }] },
        { addresses: [`10.1.${i >> 8}.${i & 255}`] },
      ),
    );
    assert.deepEqual((await ports.enforce(makeDesired(slivers))).problems, []);
    assert.equal((await ports.enforce(makeDesired(slivers))).writes, 0);
  });
});
