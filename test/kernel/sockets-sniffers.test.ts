/** What slivers' sniffers are shown of the node's packets: in network namespaces, with the real kernel. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { desired } from './sockets-slivers.ts';
import { ended, FAR4, SocketsWorld } from './sockets-world.ts';

/** Does it again and again until something is so: what is to be seen may begin a moment late. */
async function repeat(isSo: () => boolean, work: () => void): Promise<void> {
  for (let left = 100; left > 0 && !isSo(); left--) {
    work();
    await sleep(100);
  }
}

describe('slivers’ sniffers on the real kernel', () => {
  let world: SocketsWorld;

  before(async () => {
    world = new SocketsWorld();
    await world.start();
    const { problems } = await world.enforce(desired());
    assert.deepEqual(problems, []);
  });

  after(() => world.remove());

  it('shows the headers of an owned port to a sniffer: sent and received, and nobody else’s', async () => {
    const dump = world.start65534('raw', [join(world.client, 'bin/slice-dump'), '--text', '--udp', '5001']);
    let text = '';
    dump.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const exchange = (port: number): string =>
      `const s = require('dgram').createSocket('udp4'); s.bind(${port}, () => s.send('ping', 7000, '${FAR4}'));` +
      `s.on('message', () => s.close()); setTimeout(() => process.exit(1), 5000).unref()`;
    const echo = `require('dgram').createSocket('udp4').on('message', function (m, from) { this.send(m, from.port, from.address) }).bind(7000, () => console.log('ready'))`;
    const server = world.net.spawn('far', [process.execPath, '-e', echo], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    await repeat(
      () => text.split('\n').length >= 3,
      () => [5002, 5001].forEach((port) => world.net.run('node', [process.execPath, '-e', exchange(port)])),
    );
    for (const one of [server, dump]) one.kill('SIGKILL');
    assert.match(text, / out udp 10\.77\.0\.1:5001 > 10\.78\.0\.2:7000 length 32\n/);
    assert.match(text, / in  udp 10\.78\.0\.2:7000 > 10\.77\.0\.1:5001 length 32\n/);
    assert.doesNotMatch(text, /5002/);
  });

  it('gives tcpdump a sniffer’s stream, as pcapng', async () => {
    const script = `"${join(world.client, 'bin/slice-dump')}" 5001 | timeout 60 tcpdump -c1 -nr -`;
    const dump = ended(world.start65534('raw', ['bash', '-c', script]));
    const over = new AbortController();
    void dump.then(() => over.abort());
    // the sniffer may begin a moment late
    for (let left = 20; left > 0 && !over.signal.aborted; left--) {
      await sleep(500);
      await world.shimmed('raw', 'traceroute', '-n', '-T', '-q1', '-w1', '-m2', FAR4);
    }
    const { stdout, stderr } = await dump;
    assert.match(stdout, /IP 10\.77\.0\.1\.5001 > 10\.78\.0\.2\.80: Flags \[S\]/, stderr);
  });

  it('shows an auditor all that leaves, with the slice that sent it', async () => {
    const rule = 'add rule inet prio out meta priority set udp dport map { 7001 : 1:108 }';
    world.net.run(
      'node',
      ['nft', '-f', '-'],
      `add table inet prio; add chain inet prio out { type filter hook output priority 0; }; ${rule}`,
    );
    const refused = await world.run('raw', join(world.client, 'bin/slice-dump'), '--audit');
    assert.match(refused.stderr, /has not the privilege Audit/);
    const dump = world.start65534('auditor', [join(world.client, 'bin/slice-dump'), '--audit', '--text']);
    let text = '';
    dump.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    dump.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const send = `const s = require('dgram').createSocket('udp4'); s.send('x', 7001, '${FAR4}', () => s.send('xx', 7002, '${FAR4}', () => s.close()))`;
    await repeat(
      () => text.split('\n').length >= 3,
      () => world.net.run('node', [process.execPath, '-e', send]),
    );
    // another way out, while the auditor looks on
    world.net.link(['node', 'later', '198.51.100.1/24'], ['far', 'f9', '198.51.100.9/24']);
    const { facts, ...rest } = desired();
    await world.enforce({ ...rest, facts: { ...facts, lines: [...facts.lines, { interface: 'later', rate: 1e9 }] } });
    const sendLater = `const s = require('dgram').createSocket('udp4'); s.send('xxx', 7003, '198.51.100.9', () => s.close())`;
    const isSeen = (): boolean => text.includes('> 198.51.100.9:7003 length 31\n');
    await repeat(isSeen, () => world.net.run('node', [process.execPath, '-e', sendLater]));
    assert.ok(isSeen(), text);
    world.net.ip('node', 'link', 'del', 'later');
    await world.enforce(desired());
    dump.kill('SIGKILL');
    assert.match(text, / out site\/slice udp 10\.77\.0\.1:\d+ > 10\.78\.0\.2:7001 length 29\n/);
    assert.match(text, / out udp 10\.77\.0\.1:\d+ > 10\.78\.0\.2:7002 length 30\n/);
    const age = Date.now() - Date.parse(text.slice(0, 27));
    assert.ok(age > -1000 && age < 60_000, `its time is ${age} ms ago`);
  });
});
