/** A sliver's addresses, found by its first process in a network namespace of its own; and what is mounted in it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AddressWatch } from '../../node-daemonset/addresses/watch.ts';
import { kernelMounts } from '../../node-daemonset/volume/mounts.ts';
import { SliverPod } from './sliver-pod.ts';

const ip = (...args: string[]): string =>
  args[0] === 'netns' && args[1] === 'exec'
    ? execFileSync('nsenter', [`--net=/run/netns/${args[2]}`, ...args.slice(3)], { encoding: 'utf8' })
    : execFileSync('ip', args, { encoding: 'utf8' });

describe('addresses in the kernel', () => {
  const netns = `slice-t${process.pid}`;
  let pod: SliverPod;
  let watch: AddressWatch;
  let found: string[][];
  let next: PromiseWithResolvers<void>;

  /** The interface on the node that leads to a namespace. */
  const hostEnd = (name: string): string => name.replace('slice-', 'st');
  const macOf = (name: string): string =>
    (JSON.parse(ip('-n', name, '-j', 'link', 'show', 'eth0')) as { address: string }[])[0]!.address;
  const addNamespace = (name: string, ...addresses: string[]): void => {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('link', 'add', hostEnd(name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', hostEnd(name), 'up');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    for (const address of addresses)
      ip('-n', name, 'address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
  };

  beforeEach(() => {
    pod = new SliverPod();
    found = [];
    next = Promise.withResolvers();
    watch = new AddressWatch({
      directoryOf: (uid) => (uid === pod.uid && existsSync(pod.path('cpu')) ? pod.path('cpu') : undefined),
      onFound: (_, links) => {
        found.push([...links.interfaces, ...links.addresses]);
        next.resolve();
        next = Promise.withResolvers();
      },
    });
  });
  afterEach(async () => {
    watch.close();
    await pod.remove();
    for (const name of [netns, `${netns}b`]) if (existsSync(`/run/netns/${name}`)) ip('netns', 'delete', name);
  });

  it('are found when the first process has left the node’s namespace, and again when the sandbox is another', async () => {
    addNamespace(netns, '192.0.2.7/24', '2001:db8::7/64');
    addNamespace(`${netns}b`, '192.0.2.8/24');
    watch.update([{ uid: pod.uid, addresses: [], network: 'Pod' }]);
    pod.addContainer('init');
    const onHost = await pod.start('exec sleep 100', 'init');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(found, [], 'a process on the node’s network is none of a sliver’s');
    let waiting = next.promise;
    pod.addContainer('sandbox');
    const sandbox = await pod.start(`exec nsenter --net=/run/netns/${netns} sleep 100`, 'sandbox');
    await waiting;
    assert.deepEqual(found, [[hostEnd(netns), '192.0.2.7', '2001:db8::7']]);
    assert.equal(typeof watch.bytesSent(pod.uid), 'number');
    waiting = next.promise;
    for (const child of [onHost, sandbox]) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    pod.addContainer('sandbox2');
    await pod.start(`exec nsenter --net=/run/netns/${netns}b sleep 100`, 'sandbox2');
    await waiting;
    assert.deepEqual(found[1], [hostEnd(`${netns}b`), '192.0.2.8']);
  });

  it('are looked for no longer of a sliver on the node’s network, until a container of it is elsewhere', async () => {
    addNamespace(netns, '192.0.2.7/24');
    pod.addContainer('init');
    await pod.start('exec sleep 100', 'init');
    let looks = 0;
    watch.close();
    watch = new AddressWatch({
      directoryOf: () => {
        looks++;
        return pod.path('cpu');
      },
      onFound: (_, { addresses }) => {
        found.push([...addresses]);
        next.resolve();
      },
    });
    watch.update([{ uid: pod.uid, addresses: [], network: 'Host' }]);
    const hasLooked = (): boolean => looks > 0;
    for (let i = 0; i < 1500 && !hasLooked(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(looks, 1);
    const waiting = next.promise;
    pod.addContainer('elsewhere');
    await pod.start(`exec nsenter --net=/run/netns/${netns} sleep 100`, 'elsewhere');
    watch.recheck();
    await waiting;
    assert.deepEqual(found, [['192.0.2.7']], 'it is classified all the same');
  });

  it('are not told again when they are as they were', async () => {
    addNamespace(netns, '192.0.2.7/24');
    await pod.start(`exec nsenter --net=/run/netns/${netns} sleep 100`);
    watch.update([{ uid: pod.uid, addresses: ['192.0.2.7'], interfaces: [hostEnd(netns)], network: 'Pod' }]);
    for (let i = 0; i < 1500 && watch.bytesSent(pod.uid) === undefined; i++)
      await new Promise((r) => setTimeout(r, 20));
    assert.notEqual(watch.bytesSent(pod.uid), undefined, 'it was looked at');
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(found, []);
  });

  it('are not believed of a namespace that a tenant made, nor on a bridge that leads elsewhere', async () => {
    const bridge = `stb${process.pid}`;
    ip('link', 'add', bridge, 'type', 'bridge');
    try {
      ip('address', 'add', '198.51.100.1/24', 'dev', bridge);
      ip('link', 'set', bridge, 'up');
      addNamespace(netns, '198.51.100.7/24');
      addNamespace(`${netns}b`, '198.51.100.8/24');
      for (const name of [netns, `${netns}b`]) ip('link', 'set', hostEnd(name), 'master', bridge);
      // The neighbour speaks for itself; the pod claims its address as well as its own.
      ip('neigh', 'replace', '198.51.100.8', 'lladdr', macOf(`${netns}b`), 'dev', bridge);
      ip('-n', netns, 'address', 'add', '198.51.100.8/32', 'dev', 'lo');
      ip('netns', 'exec', netns, 'sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=1');
      pod.addContainer('sandbox');
      await pod.start(`exec nsenter --net=/run/netns/${netns} sleep 100`, 'sandbox');
      pod.addContainer('app');
      await pod.start(
        `exec unshare --net bash -c 'ip link set lo up; ip address add 198.51.100.9/32 dev lo; exec sleep 100'`,
        'app',
      );
      const waiting = next.promise;
      watch.update([{ uid: pod.uid, addresses: [], network: 'Pod' }]);
      await waiting;
      while (!found.at(-1)!.includes('198.51.100.7')) await next.promise;
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.deepEqual(found.at(-1), [hostEnd(netns), bridge, '198.51.100.7']);
    } finally {
      ip('link', 'delete', bridge);
    }
  });
});

describe('mounts in the kernel', () => {
  let directory: string;
  const mounts = kernelMounts();
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'slice-mounts-'));
    mkdirSync(join(directory, 'source'));
    writeFileSync(join(directory, 'source/slice'), 'measure\n');
  });
  afterEach(async () => {
    await mounts.unbind(join(directory, 'target'));
    rmSync(directory, { recursive: true });
  });

  it('show the directory read-only, once, and go', async () => {
    const [source, target] = [join(directory, 'source'), join(directory, 'target')];
    const count = (): number => readFileSync('/proc/self/mountinfo', 'utf8').split(` ${target} `).length - 1;
    await mounts.bind(source, target);
    await mounts.bind(source, target);
    assert.equal(count(), 1);
    assert.equal(readFileSync(join(target, 'slice'), 'utf8'), 'measure\n');
    assert.throws(() => writeFileSync(join(target, 'slice'), 'mine'), { code: 'EROFS' });
    writeFileSync(join(source, 'slice'), 'renewed\n');
    assert.equal(readFileSync(join(target, 'slice'), 'utf8'), 'renewed\n');
    await mounts.unbind(target);
    await mounts.unbind(target);
    assert.equal(existsSync(target), false);
  });

  it('finish what a crash left writable, and take away what was mounted twice', async () => {
    const [source, target] = [join(directory, 'source'), join(directory, 'target')];
    mkdirSync(target);
    execFileSync('mount', ['--bind', source, target]);
    await mounts.bind(source, target);
    assert.throws(() => writeFileSync(join(target, 'slice'), 'mine'), { code: 'EROFS' });
    execFileSync('mount', ['--bind', source, target]);
    await mounts.unbind(target);
    assert.equal(existsSync(target), false);
    assert.ok(existsSync(join(source, 'slice')), 'what it showed is untouched');
  });
});
