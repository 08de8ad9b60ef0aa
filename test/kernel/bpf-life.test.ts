import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, rmdirSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import type { Desired } from '../../node-daemonset/sliver.ts';
import { libbpf } from '../../node-daemonset/bpf/libbpf.ts';
import { createGuardEnforcer } from '../../node-daemonset/guard/apply.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, podSliver, tcp, udp } from './host-sliver.ts';

describe('the programs in the kernel', () => {
  let node: GuardedNode;
  let a: Peer;
  const sliverA = hostSliver('a', 1, { ports: [tcp(7000), udp(7000)] });
  const sliverB = hostSliver('b', 2, { ports: [udp(7001)] });
  const desired = (): Desired => makeDesired([sliverA, sliverB]);
  const links = (): string[] =>
    execFileSync('ls', [join(node.directory, 'bpf/links')], { encoding: 'utf8' })
      .trim()
      .split('\n');

  beforeEach(async () => {
    node = new GuardedNode();
    for (const pod of ['a', 'b', 'ordinary']) node.addPod(pod);
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    a = node.peer('a');
  });
  afterEach(() => node.remove());

  it('are attached once, and nothing is written when nothing changed', async () => {
    assert.equal(links().length, 12);
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
  });

  it('go on enforcing when the node manager is killed, and are taken over by the next one', async () => {
    await node.kill();
    assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7001'), 'EADDRINUSE');
    assert.equal(await a.all('socket 6 dgram 17', 'option freebind6 1', 'bind 2001:db8::bad 7000'), 'ok');
    assert.equal(await a.ask('sendto fd77::2 9 00'), 'EPERM');
    node.start();
    const { writes, problems } = await node.enforce(desired());
    assert.deepEqual(problems, []);
    assert.ok(writes >= 12, 'every program gives way to the new one');
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
    assert.ok((await node.counters(1))!.drops.address >= 1, 'what was counted meanwhile');
  });

  it('are swapped while traffic flows: nothing forged passes and nothing else is lost', async () => {
    const good = node.peer('b');
    assert.equal(await good.all('socket 6 dgram 17', 'bind fd77::1 7001'), 'ok');
    assert.equal(await a.all('socket 6 dgram 17', 'option freebind6 1', 'bind 2001:db8::bad 7000'), 'ok');
    const sent = Promise.all([good.ask('many fd77::2 9 100000 10'), a.ask('many fd77::2 9 100000 10')]);
    for (let i = 0; i < 3; i++) {
      await node.kill();
      node.start();
      await node.enforce(desired());
    }
    assert.deepEqual(await sent, ['100000', '0']);
  });

  it('follow the kubelet to another cgroup of its pods', async () => {
    for (const child of [a.child]) child.kill('SIGKILL');
    await node.kill();
    node.start({ pod: null });
    await node.enforce(desired());
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
    node.renewKubepods();
    const { writes, problems } = await node.enforce(desired());
    assert.deepEqual(problems, []);
    assert.ok(writes >= 12);
    assert.equal(await node.peer('a').all('socket 4 dgram 17', 'bind 10.77.0.1 7001'), 'EADDRINUSE');
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
  });

  it('leave no maps of another layout behind, but those in which sockets have their grants', async () => {
    const pins = join(node.directory, 'bpf');
    for (const name of ['ports', 'raw_sockets']) {
      const map = libbpf().bpf_obj_get(join(pins, `${name}@1`));
      assert.equal(libbpf().bpf_obj_pin(map, join(pins, `${name}@0`)), 0);
      closeSync(map);
    }
    assert.equal((await node.enforce(desired())).writes, 1);
    const left = execFileSync('ls', [pins], { encoding: 'utf8' });
    assert.match(left, /raw_sockets@0/);
    assert.doesNotMatch(left, /ports@0/);
    assert.match(left, /ports@1/);
  });

  it('drop and count what comes from a sliver that has ended, also when its cgroup is gone', async () => {
    const heir = node.peer('ordinary');
    assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7000', 'sendto 10.77.0.2 9 00'), 'ok');
    await node.pass(a, heir);
    assert.equal(await heir.ask('sendto 10.77.0.2 9 00'), 'ok');
    a.child.kill('SIGKILL');
    await new Promise((resolve) => a.child.once('exit', resolve));
    node.removePod('a');
    await node.enforce(makeDesired([sliverB]));
    assert.throws(() => rmdirSync(node.cgroup('a')), /ENOENT/, 'its directory is left to nobody');
    assert.equal(await heir.ask('sendto 10.77.0.2 9 00'), 'EPERM');
    assert.equal((await node.counters(1))!.drops.ended, 1);
    assert.deepEqual(await node.enforce(makeDesired([sliverB])), { writes: 0, problems: [] });
    await node.kill();
    node.start();
    await node.enforce(makeDesired([sliverB]));
    assert.equal(await heir.ask('sendto 10.77.0.2 9 00'), 'EPERM');
    assert.equal((await node.counters(1))!.drops.ended, 2);
  });

  it('that this kernel refuses are a problem of the node and of slivers on its network, and of nobody else', async () => {
    const objects = join(node.directory, 'none');
    const guard = createGuardEnforcer({ directory: join(node.directory, 'bpf'), objects });
    const { writes, problems } = await guard.enforce(
      makeDesired([sliverA, podSliver('p', 3, ['10.78.0.2'])]),
      AbortSignal.timeout(60_000),
    );
    assert.deepEqual(
      problems.map(({ reason, sliver }) => [reason, sliver]),
      [
        ['NotGuarded', undefined],
        ['HostNotGuarded', 'a'],
      ],
    );
    assert.match(problems[0]!.message, /packets\.bpf\.o is missing: compile it/);
    assert.deepEqual([writes, guard.kernel(), guard.counters().size], [0, undefined, 0]);
  });

  it('are refused with the words of the kernel', async () => {
    const objects = join(node.directory, 'refused');
    mkdirSync(objects);
    const source = new URL('programs/refused.c', import.meta.url).pathname;
    const include = `-I/usr/include/${arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    const object = join(objects, 'packets.bpf.o');
    execFileSync('clang', ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', include, '-c', source, '-o', object]);
    const guard = createGuardEnforcer({ directory: join(node.directory, 'bpf'), objects });
    const { problems } = await guard.enforce(makeDesired([]), AbortSignal.timeout(60_000));
    assert.match(problems[0]!.message, /kernel refuses packets\.bpf\.o: EINVAL .*invalid func unknown#9999/s);
  });

  it('give no raw socket to a node manager that is in no pod', async () => {
    const raw = hostSliver('a', 1, { ports: [udp(7000)], privileges: ['RawSockets'] });
    assert.deepEqual((await node.enforce(makeDesired([raw]))).problems, []);
    assert.ok((await node.request<{ generation: number }>({ generation: 1 })).generation > 0);
    await node.kill();
    node.start({ pod: null });
    const { problems } = await node.enforce(makeDesired([raw]));
    assert.deepEqual(
      problems.map(({ reason, sliver }) => [reason, sliver]),
      [['RawNotGuarded', 'a']],
    );
    assert.deepEqual(await node.request({ generation: 1 }), {});
  });

  it('leave nothing when they are released', async () => {
    await node.request({ release: true });
    assert.equal(await a.all('socket 4 dgram 17', 'bind 10.77.0.1 7001'), 'ok');
    assert.equal(execFileSync('ls', [join(node.directory, 'bpf')], { encoding: 'utf8' }), '');
  });
});
