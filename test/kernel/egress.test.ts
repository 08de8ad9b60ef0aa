import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { Namespaces } from './netns.ts';

/** A program that sends one UDP packet. */
function sendOne(family: 'udp4' | 'udp6', to: string): string {
  return `const s = require('dgram').createSocket('${family}'); s.send('x', 9, '${to}', () => s.close())`;
}

/** Neighbours are looked up before a first packet leaves. */
async function waitUntil(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let left = 600; !(await condition()); left--) {
    if (left === 0) assert.fail(`never saw ${what}`);
    await sleep(50);
  }
}

describe('the egress enforcer on the real kernel', () => {
  let net: Namespaces;
  let enforcer: RemoteEnforcer;

  const line = { interface: 'upl0', rate: 120e6 };
  const two = (): Desired =>
    makeDesired(
      [
        makeSliver(
          'a',
          { egressGuarantee: 30e6, egressLimit: 50e6 },
          { classId: 0x101, addresses: ['10.88.1.2', 'fd00:1::2'], interfaces: ['h0'] },
        ),
        makeSliver('b', {}, { classId: 0x102, addresses: ['10.88.2.2'], interfaces: ['h1'] }),
      ],
      { lines: [line] },
    );
  const tc = (...args: string[]): string => net.run('node', ['tc', ...args]);
  const classes = (): string => tc('class', 'show', 'dev', 'upl0');
  const table = (): string => net.run('node', ['nft', 'list', 'table', 'inet', 'slice_operator']);

  beforeEach(() => {
    net = new Namespaces('sot');
    net.add('node');
    net.add('world');
    net.link(['node', 'upl0', '10.88.0.1/24'], ['world', 'w0', '10.88.0.2/24']);
    enforcer = new RemoteEnforcer(net, 'node');
  });

  afterEach(() => net.remove());

  it('gives every sliver its class, its queue and its addresses', async () => {
    const report = await enforcer.enforce(two());
    assert.deepEqual(report.problems, []);
    assert.match(classes(), /class htb 1:101 parent 1:10 leaf 101: prio 0 rate 30Mbit ceil 50Mbit/);
    assert.match(classes(), /class htb 1:102 parent 1:10 leaf 102: prio 0 rate 5Kbit ceil 10Mbit/);
    assert.match(classes(), /class htb 1:2 parent 1:1 leaf 2: prio 0 rate 19992Kbit ceil 120Mbit/);
    assert.match(
      tc('-r', 'qdisc', 'show', 'dev', 'upl0'),
      /qdisc tbf 101:\S* parent 1:101 rate 10Gbit .* limit 625000b/,
    );
    assert.match(table(), /"h0" \. 10\.88\.1\.2 : 1:101/);
    assert.match(table(), /"h0" \. fd00:1::2 : 1:101/);
  });

  it("puts a pod's forwarded packets of both families into its class, and the node's own into 1:2", async () => {
    net.add('pod');
    net.link(['node', 'h0', '10.88.1.1/24'], ['pod', 'eth0', '10.88.1.2/24']);
    net.ip('node', 'addr', 'add', 'fd00:1::1/64', 'dev', 'h0', 'nodad');
    net.ip('pod', 'addr', 'add', 'fd00:1::2/64', 'dev', 'eth0', 'nodad');
    net.ip('node', 'addr', 'add', 'fd00::1/64', 'dev', 'upl0', 'nodad');
    net.ip('world', 'addr', 'add', 'fd00::2/64', 'dev', 'w0', 'nodad');
    net.ip('pod', 'route', 'add', 'default', 'via', '10.88.1.1');
    net.ip('pod', '-6', 'route', 'add', 'default', 'via', 'fd00:1::1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    net.add('other');
    net.link(['node', 'h9', '10.88.9.1/24'], ['other', 'eth0', '10.88.9.2/24']);
    net.ip('node', 'addr', 'add', 'fd00:9::1/64', 'dev', 'h9', 'nodad');
    net.ip('other', 'addr', 'add', 'fd00:9::2/64', 'dev', 'eth0', 'nodad');
    net.ip('other', 'route', 'add', 'default', 'via', '10.88.9.1');
    net.ip('other', '-6', 'route', 'add', 'default', 'via', 'fd00:9::1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.h9.rp_filter=0']);
    await enforcer.enforce(two());
    /** Packets that the classes of the pod and of the node had seen by this pass. */
    const seen = async (): Promise<{ pod: number; node: number }> => {
      await enforcer.enforce(two());
      const counters = await enforcer.counters();
      return { pod: counters[String(0x101)]!.packets, node: counters[String(0x2)]!.packets };
    };
    for (const [family, to] of [
      ['udp4', '10.88.0.2'],
      ['udp6', 'fd00::2'],
    ] as const) {
      const before = await seen();
      net.run('pod', [process.execPath, '-e', sendOne(family, to)]);
      await waitUntil(async () => (await seen()).pod > before.pod, `a packet to ${to} in the pod's class`);
      const between = await seen();
      net.run('node', [process.execPath, '-e', sendOne(family, to)]);
      await waitUntil(async () => (await seen()).node > between.node, `a packet to ${to} in the node's class`);
      assert.equal((await seen()).pod, between.pod);
      // A neighbour that takes the address for its own is not taken for the sliver.
      net.run('other', ['ip', 'addr', 'replace', family === 'udp4' ? '10.88.1.2/32' : 'fd00:1::2/128', 'dev', 'lo']);
      const [bind, fields] = family === 'udp4' ? ['10.88.1.2', 'udp4'] : ['fd00:1::2', 'udp6'];
      const forged = sendOne(fields as 'udp4' | 'udp6', to).replace('s.send', `s.bind(0, '${bind}'); s.send`);
      net.run('other', [process.execPath, '-e', forged]);
      await waitUntil(async () => (await seen()).node > between.node + 1, 'the forged packet in the node’s class');
      assert.equal((await seen()).pod, between.pod, 'a forged source');
    }
  });

  it('puts what goes to exempt destinations into second classes, under a limit of their own', async () => {
    net.add('pod');
    net.link(['node', 'h0', '10.88.1.1/24'], ['pod', 'eth0', '10.88.1.2/24']);
    net.ip('pod', 'route', 'add', 'default', 'via', '10.88.1.1');
    net.ip('world', 'addr', 'add', '192.0.2.1/24', 'dev', 'w0');
    net.ip('node', 'route', 'add', '192.0.2.0/24', 'via', '10.88.0.2');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    const prefixes = ['192.0.2.0/24', '192.0.2.7', '2001:db8::/32', '2001:db8:1::1'];
    const exempting = (limit: number | undefined, ...texts: string[]): Desired => {
      const desired = two();
      desired.facts.exempt = { destinations: texts, limit };
      return desired;
    };
    assert.deepEqual((await enforcer.enforce(exempting(40e6, ...prefixes))).problems, []);
    assert.match(
      classes(),
      /class htb 1:20 parent 1:1 prio 0 rate 8Kbit ceil 40Mbit|class htb 1:20 parent 1:1 rate 8Kbit ceil 40Mbit/,
    );
    assert.match(classes(), /class htb 1:8101 parent 1:20 leaf 8101: prio 0 rate 4Kbit ceil 40Mbit/);
    assert.equal((await enforcer.enforce(exempting(40e6, ...prefixes))).writes, 0);
    const seen = async (): Promise<{ first: number; second: number }> => {
      await enforcer.enforce(exempting(40e6, ...prefixes));
      const counters = await enforcer.counters();
      return { first: counters[String(0x101)]!.packets, second: counters[String(0x8101)]!.packets };
    };
    const start = await seen();
    net.run('pod', [process.execPath, '-e', sendOne('udp4', '192.0.2.1')]);
    await waitUntil(async () => (await seen()).second > start.second, 'a packet in the second class');
    assert.equal((await seen()).first, start.first);
    net.run('pod', [process.execPath, '-e', sendOne('udp4', '10.88.0.2')]);
    await waitUntil(async () => (await seen()).first > start.first, 'a packet in the first class');
    // fewer, then none: the classes go, and what went there goes with the rest again
    assert.deepEqual((await enforcer.enforce(exempting(undefined, '198.51.100.0/24'))).problems, []);
    assert.doesNotMatch(table(), /192\.0\.2/);
    assert.deepEqual((await enforcer.enforce(two())).problems, []);
    assert.doesNotMatch(classes(), /1:8101/);
    assert.match(classes(), /class htb 1:20 parent 1:1 leaf 20:/);
    assert.equal((await enforcer.enforce(two())).writes, 0);
  });

  it('slows a sliver whose budget is nearly spent, in place', async () => {
    await enforcer.enforce(two());
    net.run('node', [process.execPath, '-e', sendOne('udp4', '10.88.0.2')]);
    const slowed = two();
    slowed.slivers[0]!.budgetLimit = 35e6;
    slowed.slivers[1]!.budgetLimit = 5_000;
    assert.deepEqual((await enforcer.enforce(slowed)).problems, []);
    assert.match(classes(), /1:101 .* rate 30Mbit ceil 35Mbit/);
    assert.match(classes(), /1:102 .* rate 5Kbit ceil 5Kbit/);
    assert.equal((await enforcer.enforce(slowed)).writes, 0);
    assert.deepEqual((await enforcer.enforce(two())).problems, []);
    assert.match(classes(), /1:101 .* ceil 50Mbit/);
  });

  it('writes nothing when all is as it should be, also after a restart, which keeps the queues', async () => {
    await enforcer.enforce(two());
    // A class is deleted and made again with counters of 0: one packet shows that it is still the same.
    net.run('node', [process.execPath, '-e', sendOne('udp4', '10.88.0.2')]);
    assert.equal((await enforcer.enforce(two())).writes, 0);
    await enforcer.stop();
    enforcer = new RemoteEnforcer(net, 'node');
    assert.equal((await enforcer.enforce(two())).writes, 0);
    const node = (await enforcer.counters())[String(0x2)];
    assert.ok(node && node.packets > 0, 'the counters of 1:2 survived the restart');
  });

  it('restores a class, a queue, an element and a rule that somebody deleted', async () => {
    await enforcer.enforce(two());
    const [before, tableBefore] = [classes(), table()];
    tc('class', 'del', 'dev', 'upl0', 'classid', '1:102');
    tc('qdisc', 'replace', 'dev', 'upl0', 'parent', '1:101', 'handle', '999:', 'pfifo');
    net.run('node', ['nft', 'delete element inet slice_operator from4 { "h0" . 10.88.1.2 }']);
    net.run('node', ['nft', 'flush chain inet slice_operator classify']);
    assert.ok((await enforcer.enforce(two())).writes > 0);
    const sorted = (text: string): string[] => text.split('\n').sort();
    assert.deepEqual(sorted(classes()), sorted(before));
    assert.equal(table(), tableBefore);
    assert.equal((await enforcer.enforce(two())).writes, 0);
  });

  it('takes away what nobody has a right to any more', async () => {
    await enforcer.enforce(two());
    const one = two();
    one.slivers.pop();
    await enforcer.enforce(one);
    assert.doesNotMatch(classes(), /1:102/);
    assert.doesNotMatch(table(), /10\.88\.2\.2/);
    assert.equal((await enforcer.enforce(one)).writes, 0);
  });

  it('moves an address to another class and changes rates in place', async () => {
    await enforcer.enforce(two());
    const changed = two();
    changed.slivers[0]!.amounts.egressGuarantee = 20e6;
    changed.slivers[0]!.addresses = [];
    changed.slivers[1]!.addresses = ['10.88.1.2'];
    changed.slivers[1]!.amounts = { ...changed.slivers[1]!.amounts, egressGuarantee: 60e6, egressLimit: 60e6 };
    assert.deepEqual((await enforcer.enforce(changed)).problems, []);
    assert.match(classes(), /1:101 .* rate 20Mbit/);
    assert.match(classes(), /1:102 .* rate 60Mbit ceil 60Mbit/);
    assert.match(table(), /10\.88\.1\.2 : 1:102/);
  });

  it("leaves somebody else's root qdisc alone and says so", async () => {
    tc('qdisc', 'add', 'dev', 'upl0', 'root', 'handle', '1:', 'htb', 'default', '2');
    const shown = (): string => tc('qdisc', 'show', 'dev', 'upl0').replace(/direct_packets_stat \d+/, '');
    const before = shown();
    const report = await enforcer.enforce(two());
    assert.deepEqual(
      report.problems.map(({ reason }) => reason),
      ['UplinkBusy'],
    );
    assert.equal(report.writes, 0);
    await enforcer.release();
    assert.equal(shown(), before);
  });

  it('touches no uplink before the first sliver comes', async () => {
    const before = tc('qdisc', 'show', 'dev', 'upl0');
    assert.equal((await enforcer.enforce(makeDesired([], { lines: [line] }))).writes, 0);
    assert.equal(tc('qdisc', 'show', 'dev', 'upl0'), before);
  });

  it('puts everything back on release, also twice', async () => {
    const [qdiscs, rules] = [tc('qdisc', 'show', 'dev', 'upl0'), net.run('node', ['nft', 'list', 'ruleset'])];
    await enforcer.enforce(two());
    await enforcer.release();
    await enforcer.release();
    assert.equal(tc('qdisc', 'show', 'dev', 'upl0'), qdiscs);
    assert.equal(net.run('node', ['nft', 'list', 'ruleset']), rules);
  });

  it('leaves an uplink that the owner no longer names', async () => {
    net.link(['node', 'upl1', '10.89.0.1/24'], ['world', 'w1', '10.89.0.2/24']);
    await enforcer.enforce(two());
    const moved = two();
    moved.facts.lines = [{ interface: 'upl1', rate: 120e6 }];
    await enforcer.enforce(moved);
    assert.match(tc('qdisc', 'show', 'dev', 'upl0'), /noqueue/);
    assert.match(tc('qdisc', 'show', 'dev', 'upl1'), /htb 1: root/);
  });

  it('follows the default route where the owner names no line', async () => {
    net.ip('node', 'route', 'add', 'default', 'via', '10.88.0.2');
    const desired = two();
    desired.facts.lines = [];
    const report = await enforcer.enforce(desired);
    assert.deepEqual(
      report.problems.map(({ reason }) => reason),
      ['LineUnknown'],
    );
    assert.match(classes(), /class htb 1:10 parent 1:1 rate 100Mbit ceil 100Mbit/);
    assert.equal((await enforcer.enforce(desired)).writes, 0);
  });

  it('takes a thousand slivers in one pass', async () => {
    const slivers = Array.from({ length: 1000 }, (_, i) =>
      makeSliver(`s${i}`, {}, { classId: 0x100 + i, addresses: [`10.1.${i >> 8}.${i & 255}`] }),
    );
    const many = makeDesired(slivers, { lines: [line] });
    assert.deepEqual((await enforcer.enforce(many)).problems, []);
    assert.equal((await enforcer.enforce(many)).writes, 0);
  });
});
