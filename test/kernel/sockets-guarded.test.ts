/** Raw sockets as the kernel's own programs judge them, and slivers known by their cgroups. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { GuardedNode } from './guarded.ts';
import { Lines } from './lines.ts';
import type { Command } from './sockets-holder.ts';
import type { Request } from './sockets-process.ts';

const A = '0b5c6a1e-0000-4000-8000-00000000000a';
const B = '0b5c6a1e-0000-4000-8000-00000000000b';
const HOLDER = fileURLToPath(new URL('sockets-holder.ts', import.meta.url));
const MANAGER = fileURLToPath(new URL('sockets-process.ts', import.meta.url));
const NODE = '10.77.0.1';
const WORLD = '10.77.0.2';

describe('raw sockets in the hands of slivers', () => {
  let node: GuardedNode;
  let manager: Lines<Request>;
  let holder: Lines<Command>;
  let own: Lines<Command>;

  const desired = (change: { rawA?: boolean; ended?: boolean } = {}): Desired =>
    makeDesired([
      ...(change.ended
        ? []
        : [
            makeSliver(
              A,
              {
                ports: [
                  { protocol: 'TCP', port: 5001 },
                  { protocol: 'UDP', port: 5001 },
                  { protocol: 'ICMP', port: 77 },
                ],
                privileges: change.rawA === false ? [] : ['RawSockets'],
              },
              { number: 1, classId: 0x101, addresses: ['10.88.0.2'] },
            ),
          ]),
      makeSliver(
        B,
        { ports: [{ protocol: 'TCP', port: 5002 }], privileges: ['RawSockets'] },
        { number: 2, classId: 0x102, addresses: ['10.88.0.3'] },
      ),
    ]);
  const enforce = async (wanted: Desired): Promise<void> => {
    const { problems } = await manager.ask<EnforcerReport>({ enforce: wanted });
    assert.deepEqual(
      problems.filter(({ reason }) => reason !== 'FlowsNotCounted'),
      [],
    );
  };
  const socketOf = (uid: string): string => join(node.directory, 'slivers', uid, 'sockets');

  const startIn = (pod: string, argv: string[]): ChildProcess => {
    const join = `echo $$ > ${node.cgroup(pod)}/cgroup.procs && exec "$@"`;
    return node.net.spawn('node', ['sh', '-c', join, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  const startManager = async (): Promise<void> => {
    manager = new Lines(startIn('manager', [process.execPath, MANAGER]));
    // .../<prefix>/kubepods/burstable/pod<uid>
    const prefix = basename(dirname(dirname(dirname(node.cgroup(A)))));
    const setup = {
      root: join(node.directory, 'slivers'),
      registryFile: join(node.directory, 'raw.json'),
      portsFile: join(node.directory, 'reserved.json'),
      guard: { prefix, directory: join(node.directory, 'bpf') },
    };
    await manager.ask({ setup });
  };
  const startHolder = (pod: string, uid: string): Lines<Command> => {
    const drop = 'setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all'.split(' ');
    return new Lines(startIn(pod, [...drop, process.execPath, HOLDER, socketOf(uid)]));
  };
  const send = (as: string, protocol: 'tcp' | 'udp' | 'icmp', port: number, source?: string): Promise<string> =>
    holder.say({ send: as, protocol, port, to: WORLD, ...(source !== undefined && { source }) });

  before(async () => {
    node = new GuardedNode();
    for (const pod of [A, B]) node.addPod(pod);
    await startManager();
    await enforce(desired());
    holder = startHolder(A, A);
    const tcp = { open: 'raw', protocol: 'tcp', family: 4, port: 5001, headerIncluded: false } as const;
    assert.equal(await holder.say({ open: tcp, as: 'tcp' }), 'ok');
    assert.equal(await holder.say({ open: { ...tcp, headerIncluded: true }, as: 'whole' }), 'ok');
    assert.equal(await holder.say({ open: { ...tcp, protocol: 'udp' }, as: 'udp' }), 'ok');
    assert.equal(await holder.say({ open: { open: 'icmp', family: 4, identifier: 77 }, as: 'icmp' }), 'ok');
  });

  after(() => node.remove());

  it('send what was granted', async () => {
    assert.equal(await send('tcp', 'tcp', 5001), 'ok');
    assert.equal(await send('whole', 'tcp', 5001, NODE), 'ok');
    assert.equal(await send('udp', 'udp', 5001), 'ok');
    assert.equal(await send('icmp', 'icmp', 77), 'ok');
  });

  it('receive what is sent to their port, though it leads to the pod else', async () => {
    const forwards = (): string => node.net.run('node', ['nft', 'list map inet slice_operator_ports forward4']);
    assert.match(forwards(), /tcp \. 5001 : 10\.88\.0\.2/);
    const connect = `const s = require('net').connect(5001, '${NODE}'); s.on('error', () => 0); setTimeout(() => process.exit(), 1000)`;
    node.net.run('world', [process.execPath, '-e', connect]);
    assert.equal(await holder.say({ receive: 'tcp' }), 'ok');
    const datagram = `const s = require('dgram').createSocket('udp4'); s.send('x', 5001, '${NODE}', () => s.close())`;
    node.net.run('world', [process.execPath, '-e', datagram]);
    assert.equal(await holder.say({ receive: 'udp' }), 'ok');
  });

  it('receive answers to what they sent', async () => {
    const echo = `require('dgram').createSocket('udp4').on('message', function (m, from) { this.send(m, from.port, from.address) }).bind(9, () => console.log('ready'))`;
    const server = node.net.spawn('world', [process.execPath, '-e', echo], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout!, 'data');
    assert.equal(await send('udp', 'udp', 5001), 'ok');
    assert.equal(await holder.say({ receive: 'udp' }), 'ok');
    server.kill('SIGKILL');
  });

  it('send nothing else', async () => {
    assert.equal(await send('tcp', 'tcp', 5002), 'EPERM', "another's port");
    assert.equal(await send('tcp', 'tcp', 7000), 'EPERM', "nobody's port");
    assert.equal(await send('whole', 'tcp', 5001, '1.2.3.4'), 'EPERM', 'a spoofed address');
    assert.equal(await send('whole', 'udp', 5001, NODE), 'EPERM', 'another protocol');
    assert.equal(await send('udp', 'udp', 5002), 'EPERM');
    assert.equal(await send('icmp', 'icmp', 78), 'EPERM', "nobody's identifier");
  });

  it('are only for processes of the sliver whose socket it is', async () => {
    const stranger = startHolder(B, A);
    const tcp = { open: 'raw', protocol: 'tcp', family: 4, port: 'any', headerIncluded: false } as const;
    assert.equal(await stranger.say({ open: tcp, as: 'x' }), 'EPERM');
    own = startHolder(B, B);
    assert.equal(await own.say({ open: tcp, as: 'x' }), 'ok');
  });

  it('have their port for themselves, until the last is closed', async () => {
    const ordinary = node.peer(B);
    const bind = (): Promise<string> => ordinary.ask('socket 4 stream 6;bind 0.0.0.0 5002;close');
    assert.equal(await bind(), 'EADDRINUSE', 'a raw socket of its own sliver is open');
    assert.equal(await ordinary.ask('socket 6 stream 6;bind :: 5002;close'), 'EADDRINUSE');
    own.child.kill('SIGKILL');
    for (let left = 600; (await bind()) !== 'ok'; left--) {
      assert.notEqual(left, 0, 'the port was never free again');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ordinary.ask('socket 4 stream 6;bind 0.0.0.0 5002;listen');
    const beside = startHolder(B, B);
    const tcp = { open: 'raw', protocol: 'tcp', family: 4, port: 5002, headerIncluded: false } as const;
    assert.equal(await beside.say({ open: tcp, as: 'x' }), 'EADDRINUSE');
    beside.child.kill('SIGKILL');
  });

  it('keep to it while the node manager is gone, and when it is back', async () => {
    const { child } = manager;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    assert.equal(await send('tcp', 'tcp', 5001), 'ok');
    assert.equal(await send('tcp', 'tcp', 5002), 'EPERM');
    await startManager();
    await enforce(desired());
    assert.equal(await send('tcp', 'tcp', 5001), 'ok');
    assert.equal(await send('tcp', 'tcp', 5002), 'EPERM');
    assert.match(node.net.run('node', ['nft', 'list set inet slice_operator raw_tcp']), /5001/, 'its ports are known');
  });

  it('send nothing any more once the privilege is gone, and nothing when it comes back', async () => {
    await enforce(desired({ rawA: false }));
    assert.equal(await send('tcp', 'tcp', 5001), 'EPERM');
    assert.doesNotMatch(node.net.run('node', ['nft', 'list set inet slice_operator raw_tcp']), /5001/);
    const again = { open: 'icmp', family: 4, identifier: 77 } as const;
    assert.equal(await holder.say({ open: again, as: 'refused' }), 'EPERM');
    await enforce(desired());
    assert.equal(await send('tcp', 'tcp', 5001), 'EPERM', 'a grant of an earlier generation');
    assert.equal(await holder.say({ open: again, as: 'new' }), 'ok');
    assert.equal(await send('new', 'icmp', 77), 'ok');
  });

  it('send nothing any more once the sliver has ended', async () => {
    await enforce(desired({ ended: true }));
    assert.equal(await send('new', 'icmp', 77), 'EPERM');
    assert.equal(await holder.say({ open: { open: 'icmp', family: 4, identifier: 77 }, as: 'x' }), 'ENOENT');
  });
});
