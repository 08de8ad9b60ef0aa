/** A sliver that means harm to the node manager, or to another sliver, by its socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BOUNDS } from '../../node-daemonset/sockets/bounds.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { type Ended, FAR4, SocketsWorld } from './sockets-world.ts';

const HOSTILE = fileURLToPath(new URL('sockets-hostile.ts', import.meta.url));
const PORTS = [
  { protocol: 'TCP' as const, port: 5001 },
  { protocol: 'UDP' as const, port: 5001 },
];
const slivers = makeDesired([
  makeSliver('bad', { ports: PORTS, privileges: ['RawSockets'] }, { number: 1 }),
  makeSliver('good', { ports: [{ protocol: 'ICMP', port: 77 }], privileges: ['RawSockets'] }, { number: 2 }),
]);

describe('a hostile sliver at its socket', () => {
  let world: SocketsWorld;

  beforeEach(async () => {
    world = new SocketsWorld();
    await world.start();
    await world.enforce(slivers);
  });

  afterEach(() => world.remove());

  const attack = (kind: string): Promise<Ended> =>
    world.run('bad', process.execPath, HOSTILE, kind, world.socket('bad'));
  const memory = async (): Promise<number> => (await world.ask<{ rss: number }>({ memory: true })).rss;

  /** While something goes on, the other sliver pings, and the node manager does not grow. */
  const unharmed = async (work: Promise<Ended>): Promise<Ended> => {
    const before = await memory();
    const ping = await world.shimmed('good', 'ping', '-c1', '-W5', FAR4);
    assert.equal(ping.code, 0, ping.stderr);
    const done = await work;
    assert.equal(done.code, 0, done.stderr);
    assert.ok((await memory()) - before < 64e6, 'the node manager took more than 64 MB');
    const after = await world.shimmed('good', 'ping', '-c1', '-W5', FAR4);
    assert.equal(after.code, 0, after.stderr);
    return done;
  };

  it('with random bytes gets an error and is hung up on', async () => {
    const { stdout } = await unharmed(attack('noise'));
    assert.match(stdout, /"code":"(E2BIG|EINVAL)"/);
    assert.match(stdout, /^closed$/m);
  });

  it('with a flood of requests is answered no faster than the bound', async () => {
    const { stdout } = await unharmed(attack('flood'));
    const { answers, seconds } = JSON.parse(stdout) as { answers: number; seconds: number };
    assert.ok(answers >= BOUNDS.burst, `${answers} answers`);
    assert.ok(answers <= BOUNDS.burst + BOUNDS.requestsPerSecond * (seconds + 1), `${answers} in ${seconds} s`);
  });

  it('with 1000 half-open requests has at most its bound of them at a time, and they are ended', async () => {
    const { stdout } = await unharmed(attack('half-open'));
    const { told } = JSON.parse(stdout) as { told: Record<string, number> };
    assert.ok((told['EBUSY'] ?? 0) > 0, stdout);
    assert.ok((told['ETIMEDOUT'] ?? 0) >= BOUNDS.connections, stdout);
    const again = await attack('ask');
    assert.match(again.stdout, /"ok"/, `its own requests are answered again: ${JSON.stringify(again)} ${stdout}`);
  });

  it('that takes no descriptor gets no more than its bound, and all back when it goes', async () => {
    const { stdout } = await unharmed(attack('untaken'));
    assert.match(stdout, /"code":"EMFILE"/);
    const sockets = (): number => world.net.run('node', ['cat', '/proc/net/raw']).trim().split('\n').length - 1;
    for (let left = 300; sockets() > 0 && left > 0; left--) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(sockets(), 0);
    assert.match((await attack('ask')).stdout, /"ok"/);
  });

  it('that does not read its sniffer loses packets, and is told how many', async () => {
    const { stdout } = await unharmed(attack('lazy'));
    const { packets, lost } = JSON.parse(stdout) as { packets: number; lost: number };
    assert.ok(packets > 0 && lost > 0, stdout);
    assert.equal(packets + lost, 20_050, stdout);
  });

  it('cannot fill the bounds of all slivers by its sniffers', async () => {
    const dump = join(world.client, 'bin/slice-dump');
    const open = Array.from({ length: BOUNDS.sniffers }, () => world.start65534('bad', [dump, '5001']));
    // the head of the stream comes before all packets
    await Promise.all(open.map((one) => once(one.stdout!, 'data')));
    const refused = await world.run('bad', dump, '5001');
    assert.match(refused.stderr, /this sliver has 2 sniffers open/);
    for (const one of open) one.kill('SIGKILL');
  });
});
