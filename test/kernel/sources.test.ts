/** A node with pods on a bridge and on a cable; what forges a sliver's address, and whether it gets out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { Namespaces } from './netns.ts';

const WORLD = { 4: '10.91.0.2', 6: 'fd91::2' } as const;
/** On the bridge br0 by the port p1; its neighbour by p2 is `other`. */
const SLIVER = { 4: '10.91.1.2', 6: 'fd91:1::2' } as const;
/** On the cable h3; `stranger` is on h4. */
const ROUTED = { 4: '10.91.3.2', 6: 'fd91:3::2' } as const;
const FAMILIES = [4, 6] as const;

/** Says what it gets. */
const HEAR = `
const socket = require('dgram').createSocket('udp6');
socket.on('message', (data) => console.log(String(data)));
socket.bind(9, () => console.log('ready'));
`;
/** Sends a word from an address ('': its own) a few times: a first packet may be lost while neighbours are looked up. */
const SAY = `
const [family, from, to, word] = process.argv.slice(1);
const socket = require('dgram').createSocket('udp' + family);
socket.bind(0, from || undefined, () => setInterval(() => socket.send(word, 9, to, () => undefined), 30));
setTimeout(() => process.exit(), 600);
`;

/** Begins so many connections: by several sockets, to one port after the other. */
const BEGIN = `
const [to, count] = process.argv.slice(1);
const sockets = Array.from({ length: 4 }, () => require('dgram').createSocket('udp4'));
let left = Number(count);
const next = (socket) => left-- > 0 ? socket.send('x', 1000 + (left >> 2), to, () => next(socket)) : socket.close();
for (const socket of sockets) next(socket);
`;

describe('the sources enforcer on the real kernel', () => {
  let net: Namespaces;
  let enforcer: RemoteEnforcer;
  let heard: string[];

  const slivers = [
    makeSliver('a', {}, { addresses: [...Object.values(SLIVER), '64:ff9b::5'], interfaces: ['p1', 'br0'] }),
    makeSliver('b', {}, { classId: 0x102, addresses: Object.values(ROUTED), interfaces: ['h3'] }),
  ];
  const desired: Desired = makeDesired(slivers);
  const ruleset = (): string => net.run('node', ['nft', 'list', 'ruleset']);

  const pod = (name: string, dev: string, n: number, host: string): void => {
    net.add(name);
    net.run(name, ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
    net.ip('node', 'link', 'add', dev, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', net.name(name));
    if (n === 1) net.ip('node', 'link', 'set', dev, 'master', 'br0');
    net.ip('node', 'link', 'set', dev, 'up');
    net.ip(name, 'link', 'set', 'eth0', 'up');
    if (n !== 1) addGateway(dev, n);
    net.ip(name, 'addr', 'add', `10.91.${n}.${host}/24`, 'dev', 'eth0');
    net.ip(name, 'addr', 'add', `fd91:${n}::${host}/64`, 'dev', 'eth0', 'nodad');
    net.ip(name, 'route', 'add', 'default', 'via', `10.91.${n}.1`);
    net.ip(name, '-6', 'route', 'add', 'default', 'via', `fd91:${n}::1`);
  };
  const addGateway = (dev: string, n: number): void => {
    net.ip('node', 'addr', 'add', `10.91.${n}.1/24`, 'dev', dev);
    net.ip('node', 'addr', 'add', `fd91:${n}::1/64`, 'dev', dev, 'nodad');
  };
  const say = (where: string, family: 4 | 6, word: string, from = ''): void => {
    net.run(where, [process.execPath, '-e', SAY, String(family), from, WORLD[family], word]);
  };
  /** Whether what was said before came; what is expected may take a while. */
  const hears = async (word: string, isExpected = true): Promise<boolean> => {
    for (let left = isExpected ? 200 : 0; left > 0 && !heard.includes(word); left--) await sleep(50);
    // what was said several times comes to its end
    await sleep(200);
    return heard.splice(0).includes(word);
  };

  beforeEach(async () => {
    net = new Namespaces('sou');
    net.add('node');
    net.add('world');
    net.run('node', ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv4.conf.all.rp_filter=0']);
    net.run('node', ['sysctl', '-qw', 'net.ipv4.conf.default.rp_filter=0', 'net.ipv4.ip_forward=1']);
    net.run('node', ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1']);
    net.link(['node', 'upl0', '10.91.0.1/24'], ['world', 'w0', '10.91.0.2/24']);
    net.ip('node', 'addr', 'add', 'fd91::1/64', 'dev', 'upl0', 'nodad');
    net.ip('world', 'addr', 'add', 'fd91::2/64', 'dev', 'w0', 'nodad');
    net.ip('node', 'link', 'add', 'br0', 'type', 'bridge');
    net.ip('node', 'link', 'set', 'br0', 'up');
    addGateway('br0', 1);
    pod('sliver', 'p1', 1, '2');
    pod('other', 'p2', 1, '3');
    pod('routed', 'h3', 3, '2');
    pod('stranger', 'h4', 4, '2');
    const hear = net.spawn('world', [process.execPath, '-e', HEAR], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: hear.stdout! });
    await once(lines, 'line');
    heard = [];
    lines.on('line', (line) => heard.push(line));
    enforcer = new RemoteEnforcer(net, 'node', 'sources');
  });
  afterEach(() => net.remove());

  for (const family of FAMILIES) {
    const bits = family === 4 ? '/32' : '/128';
    it(`drops what others send from a sliver’s address, by another cable or port: IPv${family}`, async () => {
      const forgeries: [string, string][] = [
        ['other', SLIVER[family]],
        ['stranger', SLIVER[family]],
        ['other', ROUTED[family]],
        ['stranger', ROUTED[family]],
      ];
      for (const isEnforced of [false, true]) {
        if (isEnforced) assert.deepEqual((await enforcer.enforce(desired)).problems, []);
        for (const [who, address] of forgeries) {
          say(who, family, 'own');
          assert.ok(await hears('own'), `${who} by its own address`);
          net.ip(who, 'addr', 'add', address + bits, 'dev', 'lo', ...(family === 6 ? ['nodad'] : []));
          say(who, family, 'forged', address);
          assert.equal(await hears('forged', !isEnforced), !isEnforced, `${who} as ${address}`);
          net.ip(who, 'addr', 'del', address + bits, 'dev', 'lo');
        }
        for (const who of ['sliver', 'routed']) {
          say(who, family, who);
          assert.ok(await hears(who), who);
        }
      }
    });

    it(`lets nobody on the bridge say that a sliver’s address is his: IPv${family}`, async () => {
      const [{ address: mac }] = JSON.parse(net.run('other', ['ip', '-j', 'link', 'show', 'eth0'])) as [
        { address: string },
      ];
      const believes = (): boolean => {
        net.ip('node', 'neigh', 'flush', 'dev', 'br0');
        net.run('node', ['sh', '-c', `ping -c 1 -W 1 ${SLIVER[family]} || true`]);
        const known = net.run('node', ['ip', '-j', 'neigh', 'show', 'dev', 'br0']);
        return (JSON.parse(known) as { dst: string; lladdr?: string }[]).some(
          ({ dst, lladdr }) => dst === SLIVER[family] && lladdr === mac,
        );
      };
      net.ip('sliver', 'link', 'set', 'eth0', 'down');
      const nodad = family === 6 ? ['nodad'] : [];
      net.ip('other', 'addr', 'add', SLIVER[family] + bits, 'dev', 'eth0', ...nodad);
      assert.equal(believes(), true);
      await enforcer.enforce(desired);
      assert.equal(believes(), false);
    });
  }

  it('lets a sliver begin so many connections that the others have room, and go on with those it has', async () => {
    const tracked = (): number => Number(net.run('node', ['sysctl', '-n', 'net.netfilter.nf_conntrack_count']));
    await enforcer.enforce(desired);
    // connections are tracked where a rule asks for it
    net.run('node', [
      'nft',
      'add table inet other; add chain inet other c { type nat hook postrouting priority 100; }',
    ]);
    const size = Number(net.run('node', ['sysctl', '-n', 'net.netfilter.nf_conntrack_max']));
    net.run('routed', [process.execPath, '-e', BEGIN, WORLD[4], String(Math.ceil(size / 12))]);
    assert.ok(tracked() > size / 20, 'it has its part');
    assert.ok(tracked() < size / 13, `${tracked()} of ${size}`);
    assert.ok((await enforcer.enforce(desired)).writes === 0, 'buckets are the kernel’s');
    say('stranger', 4, 'another');
    assert.ok(await hears('another'));
  });

  it('writes nothing when all is as it should be, mends what somebody changed, and leaves nothing behind', async () => {
    const before = ruleset();
    assert.equal((await enforcer.enforce(makeDesired([]))).writes, 0);
    assert.ok((await enforcer.enforce(desired)).writes > 0);
    await enforcer.stop();
    enforcer = new RemoteEnforcer(net, 'node', 'sources');
    assert.equal((await enforcer.enforce(desired)).writes, 0);
    const made = ruleset();
    for (const harm of [
      `delete element inet slice_operator_sources by4 { "h3" . ${ROUTED[4]} }`,
      'flush chain bridge slice_operator_sources arriving',
      `add element bridge slice_operator_sources by6 { "p2" . ${SLIVER[6]} }`,
      'delete table inet slice_operator_sources',
    ]) {
      net.run('node', ['nft', harm]);
      assert.ok((await enforcer.enforce(desired)).writes > 0, harm);
      assert.equal(ruleset().split('\n').sort().join('\n'), made.split('\n').sort().join('\n'), harm);
    }
    await enforcer.enforce(makeDesired([]));
    assert.equal(ruleset(), before);
    await enforcer.enforce(desired);
    await enforcer.release();
    await enforcer.release();
    assert.equal(ruleset(), before);
  });

  it('no longer keeps the address of a pod whose cable is gone', async () => {
    await enforcer.enforce(desired);
    net.ip('node', 'link', 'del', 'h3');
    await enforcer.enforce(desired);
    net.ip('node', 'route', 'add', ROUTED[4], 'dev', 'h4');
    net.ip('stranger', 'addr', 'add', `${ROUTED[4]}/32`, 'dev', 'lo');
    say('stranger', 4, 'heir', ROUTED[4]);
    assert.ok(await hears('heir'));
  });

  it('takes a thousand slivers in one pass', async () => {
    const many = Array.from({ length: 1000 }, (_, i) =>
      makeSliver(
        `s${i}`,
        {},
        { addresses: [`10.1.${i >> 8}.${i & 255}`, `fd00::${i + 1}`], interfaces: ['p1', 'br0'] },
      ),
    );
    assert.deepEqual((await enforcer.enforce(makeDesired(many))).problems, []);
    assert.equal((await enforcer.enforce(makeDesired(many))).writes, 0);
  });
});
