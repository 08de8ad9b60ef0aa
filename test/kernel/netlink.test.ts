/** The counters of classes as the kernel tells them by rtnetlink, beside what tc makes of the same. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { parseClasses, type ClassCounters } from '../../node-daemonset/egress/tc.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { Namespaces } from './netns.ts';

const READER = fileURLToPath(new URL('../../node-daemonset/egress/netlink.ts', import.meta.url));
const PROGRAM = `const { readClassCounters } = await import('${READER}');
console.log(JSON.stringify([...readClassCounters()].map(([name, classes]) => [name, [...classes]])))`;
const SLIVERS = 300;
/** More than the queue of the first class holds. */
const flood = `const s = require('dgram').createSocket('udp4'); let left = 2000;
const next = () => left-- > 0 ? s.send(Buffer.alloc(1000), 9, '10.88.0.2', next) : s.close(); next()`;

describe('counters by rtnetlink', () => {
  let net: Namespaces;

  before(() => {
    net = new Namespaces('son');
    for (const name of ['node', 'world', 'pod']) net.add(name);
    net.link(['node', 'upl0', '10.88.0.1/24'], ['world', 'w0', '10.88.0.2/24']);
    net.link(['node', 'h0', '10.88.1.1/24'], ['pod', 'eth0', '10.88.1.2/24']);
    net.ip('pod', 'route', 'add', 'default', 'via', '10.88.1.1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  });
  after(() => net.remove());

  it("are tc's, of every class of ours and of nobody else's root", async () => {
    const slivers = Array.from({ length: SLIVERS }, (_, i) =>
      makeSliver(
        `s${i}`,
        { egressLimit: 1e6 },
        { classId: 0x101 + i, addresses: [`10.88.${i + 1}.2`], interfaces: [] },
      ),
    );
    slivers[0]!.interfaces = ['h0'];
    const enforcer = new RemoteEnforcer(net, 'node');
    await enforcer.enforce(makeDesired(slivers, { lines: [{ interface: 'upl0', rate: 120e6 }] }));
    net.run('node', ['tc', 'qdisc', 'add', 'dev', 'h0', 'root', 'handle', '1:', 'htb', 'default', '2']);
    net.run('node', ['tc', 'class', 'add', 'dev', 'h0', 'parent', '1:', 'classid', '1:101', 'htb', 'rate', '1mbit']);
    net.run('pod', [process.execPath, '-e', flood]);

    // some of it still leaves, so both are asked until nothing moved in between
    for (let left = 200; ; left--) {
      const shown = (): Map<number, ClassCounters> =>
        parseClasses(net.run('node', ['tc', '-s', '-d', 'class', 'show', 'dev', 'upl0']), new Map()).counters;
      const before = shown();
      const read = JSON.parse(net.run('node', [process.execPath, '--input-type=module', '-e', PROGRAM])) as [
        string,
        [number, ClassCounters][],
      ][];
      if (JSON.stringify([...before]) !== JSON.stringify([...shown()])) {
        assert.ok(left > 0, 'the queue never emptied');
        continue;
      }
      assert.deepEqual(
        read.map(([name]) => name),
        ['upl0'],
      );
      const counters = new Map(read[0]![1]);
      assert.equal(counters.size, before.size);
      const { backlog, ...sent } = counters.get(0x101)!;
      const { backlog: waiting, ...rest } = before.get(0x101)!;
      assert.deepEqual(sent, rest);
      assert.ok(Math.abs(backlog - waiting) < 1024, 'tc rounds what waits');
      assert.ok(sent.bytes > 10_000 && sent.drops > 0, JSON.stringify(sent));
      assert.deepEqual(counters.get(0x10)!.bytes, before.get(0x10)!.bytes);
      return;
    }
  });
});
