import assert from 'node:assert/strict';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, tcp, udp } from './host-sliver.ts';

const PODS = ['a', 'b', 'ordinary'] as const;
type Pod = (typeof PODS)[number];

describe('ports of the node', () => {
  let node: GuardedNode;
  let peers: Record<Pod, Peer>;
  const desired = (): Desired =>
    makeDesired([
      hostSliver('a', 1, { ports: [tcp(80), udp(80), tcp(7000), udp(7000)] }),
      hostSliver('b', 2, { ports: [tcp(7001), udp(7001)] }),
    ]);

  before(async () => {
    node = new GuardedNode();
    for (const pod of PODS) node.addPod(pod);
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    peers = { a: node.peer('a'), b: node.peer('b'), ordinary: node.peer('ordinary') };
  });
  after(() => node.remove());

  it('are written once', async () => {
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
  });

  const ADDRESSES = { 4: ['10.77.0.1', '0.0.0.0', '127.0.0.1'], 6: ['fd77::1', '::', '::1'] };
  for (const family of [4, 6] as const) {
    for (const [type, protocol] of [
      ['stream', 6],
      ['dgram', 17],
    ] as const) {
      for (const address of ADDRESSES[family]) {
        for (const reuse of [false, true]) {
          it(`bind ${type} ${address}${reuse ? ' with SO_REUSEPORT' : ''}: the owner alone`, async () => {
            const options = reuse ? ['option reuseport 1'] : [];
            const bind = (pod: Pod, port: number): Promise<string> =>
              peers[pod].all(`socket ${family} ${type} ${protocol}`, ...options, `bind ${address} ${port}`);
            assert.equal(await bind('a', 7000), 'ok');
            assert.equal(await bind('b', 7000), 'EADDRINUSE', 'while the owner holds it');
            assert.equal(await bind('ordinary', 7000), 'EADDRINUSE', 'while the owner holds it');
            assert.equal(await bind('a', 80), 'ok', 'below 1024 without a capability');
            assert.equal(await bind('a', 7001), 'EADDRINUSE', "another's");
            assert.equal(await bind('b', 80), 'EADDRINUSE', "another's, below 1024");
            assert.equal(await bind('a', 7777), 'EACCES', "nobody's");
            assert.equal(await bind('ordinary', 7001), 'EADDRINUSE');
            assert.equal(await bind('ordinary', 7778), 'ok');
            assert.equal(await bind('a', 0), 'ok');
            for (const peer of Object.values(peers)) await peer.ask('close');
          });
        }
      }
    }
  }

  it('do not concern a pod in a network namespace of its own', async () => {
    node.net.add('pod');
    const peer = node.peer('ordinary', { namespace: 'pod', root: true });
    for (const port of [80, 7000, 7001]) {
      assert.equal(await peer.all('socket 4 stream 6', `bind 0.0.0.0 ${port}`, 'listen'), 'ok');
    }
  });

  it('are not chosen by the kernel for anyone, reserved or not', async () => {
    node.net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_local_port_range=7000 7001']);
    try {
      for (const pod of ['ordinary', 'b'] as const) {
        const answers = new Set<string>();
        for (let i = 0; i < 20; i++) {
          await peers[pod].all('socket 4 dgram 17', 'bind 10.77.0.1 0');
          answers.add(await peers[pod].ask('name'));
        }
        assert.ok(!answers.has('7000'), `${pod} got ${[...answers].join()}`);
        assert.equal(answers.has('7001'), pod === 'b');
      }
    } finally {
      node.net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_local_port_range=32768 60999']);
      for (const peer of Object.values(peers)) await peer.ask('close');
    }
  });

  it('of those that the kernel chooses leave room for the node and for other slivers', async () => {
    const room = Math.floor((60999 - 32768 + 1) / 2 / 2);
    const hogs = [node.peer('a'), node.peer('a')];
    assert.equal(await hogs[0]!.ask(`hoard dgram ${room - 10}`), `${room - 10} ok`);
    assert.equal(await hogs[1]!.ask('hoard stream 100'), '10 EMFILE', 'of all kinds together, by any process');
    assert.equal(await peers.b.all('socket 4 stream 6', 'bind 0.0.0.0 0'), 'ok', 'another sliver');
    assert.equal(await peers.ordinary.all('socket 4 dgram 17', 'bind 0.0.0.0 0'), 'ok', 'the node');
    hogs[1]!.child.kill('SIGKILL');
    await new Promise((resolve) => hogs[1]!.child.once('exit', resolve));
    assert.equal(await peers.a.ask('hoard stream 100'), '10 EMFILE', 'what was closed may be opened again');
    hogs[0]!.child.kill('SIGKILL');
    peers.a.child.kill('SIGKILL');
    await new Promise((resolve) => peers.a.child.once('exit', resolve));
    peers.a = node.peer('a');
    for (const peer of Object.values(peers)) await peer.ask('close');
  });

  it('are no more to be had for having accepted connections and closed them', async () => {
    const { a, ordinary } = peers;
    for (let i = 0; i < 20; i++) {
      assert.equal(await a.all('socket 4 stream 6', 'option reuseaddr 1', 'bind 10.77.0.1 80', 'listen'), 'ok');
      assert.equal(await ordinary.all('socket 4 stream 6', 'connect 10.77.0.1 80'), 'ok');
      assert.equal(await a.all('accept 20000', 'close'), 'ok');
    }
    for (const peer of Object.values(peers)) await peer.ask('close');
    const room = Math.floor((60999 - 32768 + 1) / 2 / 2);
    const hog = node.peer('a');
    assert.equal(await hog.ask(`hoard dgram ${room + 100}`), `${room} EMFILE`);
    hog.child.kill('SIGKILL');
    await new Promise((resolve) => hog.child.once('exit', resolve));
  });

  it('are not for whoever is penalised, and go with the right', async () => {
    const a = hostSliver('a', 1, { ports: [tcp(7000)] });
    await node.enforce(makeDesired([{ ...a, standing: 'penalised' }]));
    assert.equal(await peers.a.all('socket 4 stream 6', 'bind 10.77.0.1 7000'), 'EACCES');
    assert.equal(await peers.ordinary.all('socket 4 stream 6', 'bind 10.77.0.1 7000'), 'ok');
    await peers.ordinary.ask('close');
    await node.enforce(desired());
    assert.equal(await peers.a.all('socket 4 stream 6', 'bind 10.77.0.1 7000'), 'ok');
  });
});
