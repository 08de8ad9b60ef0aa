/** Programs of slivers, without any capability, at their raw sockets: in network namespaces, with the real kernel. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RawGrant } from '../../node-daemonset/bpf/kernel.ts';
import { planRuleset } from '../../node-daemonset/sockets/rawports.ts';
import { READ_ONLY } from '../../node-daemonset/volume/mounts.ts';
import { desired } from './sockets-slivers.ts';
import { ended, FAR4, FAR6, NODE4, SocketsWorld } from './sockets-world.ts';

const TCP_PROGRAM = fileURLToPath(new URL('sockets-tcp.ts', import.meta.url));
const HANDSHAKE = fileURLToPath(new URL('../cluster/programs/handshake.c', import.meta.url));
const C_PROGRAM = fileURLToPath(new URL('sockets-client.c', import.meta.url));

/** Answers at a TCP port with what it is sent. */
const ECHO = `require('net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(8080, '::', () => console.log('ready'))`;

describe('slivers’ raw sockets on the real kernel', () => {
  let world: SocketsWorld;

  before(async () => {
    world = new SocketsWorld();
    await world.start();
    const { problems } = await world.enforce(desired());
    assert.deepEqual(problems, []);
  });

  after(() => world.remove());

  for (const [family, far] of [
    ['IPv4', FAR4],
    ['IPv6', FAR6],
  ] as const) {
    it(`ping works, with the owned identifier: ${family}`, async () => {
      const seen = await world.capture('icmp or icmp6', async () => {
        const { code, stdout, stderr } = await world.shimmed('raw', 'ping', '-c2', '-i0.2', '-W2', far);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /2 received/);
      });
      assert.equal(seen.filter((line) => /echo request, id 77,/.test(line)).length, 2, seen.join('\n'));
    });

    it(`ping is told where its packets end: ${family}`, async () => {
      const { stdout } = await world.shimmed('raw', 'ping', '-n', '-c1', '-t1', '-W2', far);
      assert.match(
        stdout,
        family === 'IPv4' ? /10\.77\.0\.254 icmp_seq=1 Time to live exceeded/ : /fd77::254 icmp_seq=1 Time exceeded/,
      );
    });

    for (const [method, options, expected] of [
      ['UDP', [], /: UDP/],
      ['ICMP', ['-I'], /echo request, id 77,/],
      ['TCP SYN', ['-T', '-p', '8080'], /\.5001 > .*\.8080: Flags \[S\]/],
    ] as const) {
      it(`traceroute by ${method} finds both hops: ${family}`, async () => {
        const seen = await world.capture('udp or tcp or icmp or icmp6', async () => {
          const { code, stdout, stderr } = await world.shimmed('raw', 'traceroute', '-n', '-w2', ...options, far);
          assert.equal(code, 0, stderr);
          const hops = stdout.split('\n').slice(1, 3);
          const router = family === 'IPv4' ? '10.77.0.254' : 'fd77::254';
          for (const [hop, address] of [router, far].entries()) {
            assert.match(hops[hop] ?? '', new RegExp(`${address}( +[0-9.]+ ms){3}`), stdout);
          }
        });
        assert.ok(
          seen.some((line) => expected.test(line)),
          seen.join('\n'),
        );
      });
    }
  }

  it('works as a pod sees it: from a read-only mount, with the shim that is in it', async () => {
    const mounted = join(world.root, 'mounted');
    const script = `mkdir -p $1 && mount --bind $0 $1 && mount -o ${READ_ONLY} $1 && shift && exec "$@"`;
    const socket = [`SLICE_SOCKET=${mounted}/sockets`, `SLICE_SHIM=${mounted}/lib/libslice-shim.so`, 'POD=raw'];
    const drop = 'setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all'.split(' ');
    const ping = [`${mounted}/bin/slice-run`, 'ping', '-c1', '-W2', FAR4];
    const argv = [
      'unshare',
      '-m',
      'sh',
      '-c',
      script,
      dirname(world.socket('raw')),
      mounted,
      'env',
      ...socket,
      ...drop,
    ];
    assert.match(world.net.run('node', [...argv, ...ping]), / 1 received/);
  });

  it('is refused to a slice without the privilege, with EPERM', async () => {
    const ping = await world.shimmed('plain', 'ping', '-c1', FAR4);
    assert.notEqual(ping.code, 0);
    assert.match(ping.stderr, /socket: Operation not permitted/);
    const traceroute = await world.shimmed('plain', 'traceroute', '-n', '-T', FAR4);
    assert.match(traceroute.stderr, /Operation not permitted/);
    const dump = await world.run('plain', join(world.client, 'bin/slice-dump'), '6001');
    assert.match(dump.stderr, /Operation not permitted: this slice has not the privilege RawSockets/);
  });

  it('is refused to a process that is in no pod, or in another', async () => {
    const environment = ['env', `SLICE_SOCKET=${world.socket('raw')}`];
    const dump = await world.run('plain', ...environment, join(world.client, 'bin/slice-dump'), '5001');
    assert.equal(dump.code, 1);
    assert.match(dump.stderr, /another sliver's socket/);
  });

  it('lets a user-level TCP shake hands and talk, without a reset of the kernel’s', async () => {
    const server = world.net.spawn('far', [process.execPath, '-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    const talk = () => world.run('raw', process.execPath, TCP_PROGRAM, world.socket('raw'), NODE4, FAR4, '8080');
    const resets = await world.capture('tcp[tcpflags] & tcp-rst != 0 and src port 5001', async () => {
      const { code, stdout, stderr } = await talk();
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^echoed: hello$/m);
    });
    // the one at its end, by which the user-level TCP hangs up
    assert.equal(resets.length, 1, resets.join('\n'));
    const chain = (): string => world.net.run('node', ['nft', 'list chain inet slice_operator raw_ports']);
    const dropped = /tcp sport @raw_tcp counter packets (\d+)/.exec(chain())?.[1];
    assert.ok(Number(dropped) > 0, 'the kernel did want to reset it');
    server.kill('SIGKILL');
    world.net.run('node', ['nft', 'delete chain inet slice_operator raw_ports']);
    await world.enforce(desired());
    assert.match(chain(), /tcp sport @raw_tcp/, 'a pass restores what somebody deleted');
  });

  it('lets the program of the real cluster shake hands, by IPv4 and IPv6', async () => {
    const program = join(world.root, 'handshake');
    execFileSync('gcc', ['-static', '-Wall', '-o', program, HANDSHAKE]);
    const server = world.net.spawn('far', [process.execPath, '-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    for (const far of [FAR4, FAR6]) {
      const seen = await world.capture('tcp', async () => {
        const { code, stdout } = await world.run('raw', program, far, '8080');
        assert.deepEqual([code, stdout], [0, 'echoed from port 5001\n']);
      });
      assert.ok(
        seen.some((line) => /\.5001 > .*\.8080: Flags \[S\].* length 4/.test(line)),
        seen.join('\n'),
      );
    }
    const { code, stderr } = await world.run('plain', program, FAR4, '8080');
    assert.equal(code, 1);
    assert.match(stderr, /no raw socket: Operation not permitted/);
    server.kill('SIGKILL');
  });

  it('serves programs in C: a SYN with data, UDP and errors about it', async () => {
    const program = join(world.root, 'client-test');
    const [include, lib] = ['include', 'lib'].map((name) => join(world.client, name));
    execFileSync('gcc', ['-Wall', '-Werror', `-I${include}`, '-o', program, C_PROGRAM, `-L${lib}`, '-lslice']);
    const seen = await world.capture('tcp or udp', async () => {
      const { code, stdout, stderr } = await world.run('raw', program, NODE4, FAR4);
      assert.equal(code, 0, stderr + stdout);
      assert.match(stdout, /^SYN with data sent$/m);
      assert.match(stdout, /^error about UDP received: type 3 code 3$/m);
    });
    assert.ok(
      seen.some((line) => /\.5001 > .*\.8081: Flags \[S\].* length 4/.test(line)),
      seen.join('\n'),
    );
    assert.ok(
      seen.some((line) => /\.5001 > .*\.9: UDP, length 4/.test(line)),
      seen.join('\n'),
    );
  });

  it('tells the kernel of each grant before it passes the socket', async () => {
    const grants = await world.ask<RawGrant[]>({ grants: true });
    assert.ok(grants.every(({ sliver, generation }) => sliver === 7 && generation === 1));
    for (const expected of [
      { family: 4, protocol: 6, port: 5001 },
      { family: 6, protocol: 6, port: 5001 },
      { family: 4, protocol: 17, port: 5001 },
      { family: 4, protocol: 1, port: 77, errorsOf: { protocol: 6, port: 5001 } },
      { family: 6, protocol: 58, port: 77, errorsOf: { protocol: 6, port: 5001 } },
    ]) {
      const grant = { sliver: 7, generation: 1, ...expected };
      assert.ok(
        grants.some((one) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(grant))),
        JSON.stringify(grant),
      );
    }
  });

  it('refuses a port on which an ordinary socket is open, and says so', async () => {
    const bind = `require('net').createServer().listen(5001, () => console.log('ready'))`;
    const holder = world.net.spawn('node', [process.execPath, '-e', bind], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout!.once('data', resolve));
    const refused = await world.run('raw', process.execPath, TCP_PROGRAM, world.socket('raw'), NODE4, FAR4, '8080');
    assert.match(refused.stderr, /LISTEN at \S+:5001[^]*EADDRINUSE/);
    const gone = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await gone;
  });

  it('ends the connections on a port with the right to it', async () => {
    const listen = `require('net').createServer((s) => s.on('error', () => 0)).listen(6001, () => console.log('ready'))`;
    const server = world.net.spawn('node', [process.execPath, '-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout!, 'data');
    const talk = `require('net').connect(6001, '${NODE4}', () => console.log('connected')).on('error', (e) => console.log(e.code))`;
    const client = world.net.spawn('far', [process.execPath, '-e', talk], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = ended(client);
    await once(client.stdout!, 'data');
    const { facts, ...rest } = desired();
    await world.enforce({ ...rest, facts, slivers: rest.slivers.filter(({ id }) => id !== 'plain') });
    assert.match((await said).stdout, /ECONNRESET/);
    assert.equal(world.net.run('node', ['ss', '-Htna', 'sport = :6001']), '');
    server.kill('SIGKILL');
    await world.enforce(desired());
  });

  it('puts library, shim and tools beside the socket, without a copy for each sliver', () => {
    const at = (uid: string, name: string): string => join(world.root, 'slivers', uid, name);
    for (const name of [
      'bin/slice-dump',
      'bin/slice-run',
      'lib/libslice.so',
      'lib/libslice-shim.so',
      'include/slice.h',
    ]) {
      assert.ok(existsSync(at('raw', name)), name);
      assert.equal(statSync(at('raw', name)).ino, statSync(at('plain', name)).ino, name);
      assert.equal(statSync(at('raw', name)).mode & 0o222, 0, `${name} can be written`);
    }
  });

  it('leads a port to its pod again that a raw socket had before the node manager was killed', async () => {
    world.net.run('node', ['nft', '-f', '-'], planRuleset({ tcp: [5009], udp: [] }));
    await world.restart();
    await world.enforce(desired());
    assert.doesNotMatch(world.net.run('node', ['nft', 'list set inet slice_operator raw_tcp']), /5009/);
  });
});

function sorted(value: object): [string, unknown][] {
  return Object.entries(value).toSorted(([a], [b]) => a.localeCompare(b));
}
