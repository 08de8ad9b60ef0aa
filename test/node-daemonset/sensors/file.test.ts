/** File sensors read what the kernel tells everybody, and no trick leads them elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validateSensor } from '../../../crds/validate.ts';
import { openBeneath } from '../../../node-daemonset/sensors/beneath.ts';
import { readFileSensor, whyNotAllowed } from '../../../node-daemonset/sensors/file.ts';
import { planServed } from '../../../node-daemonset/sensors/plan.ts';
import { sensorOf } from './world.ts';

const signal = new AbortController().signal;

describe('file sensors', () => {
  it('read what they may', async () => {
    assert.match(await readFileSensor('/proc/meminfo', signal), /^MemTotal:/);
    assert.match(await readFileSensor('/proc/sys/vm/swappiness', signal), /^\d+\n$/);
  });

  for (const path of [
    '/etc/shadow',
    '/proc/../etc/shadow',
    '/proc/sys/../../etc/shadow',
    '/proc/self/environ',
    '/proc/1/environ',
    '/proc/thread-self/maps',
    '/proc/net/tcp',
    '/proc/kcore',
    '/proc/kmsg',
    '/proc/kallsyms',
    '/proc/cmdline',
    '/proc/sysrq-trigger',
    '/sys/kernel/debug/tracing/trace',
    '/sys/class/net/lo/address',
    '/sys/module/kernel/parameters/panic',
    '/proc',
    'proc/loadavg',
    '',
  ]) {
    it(`never read ${path || 'nothing'}`, async () => {
      assert.ok(whyNotAllowed(path));
      await assert.rejects(readFileSensor(path, signal), { word: 'FileNotAllowed' });
    });
  }

  it('never follow a link in what is allowed, nor read what root alone may', async () => {
    // a symbolic link of the kernel's own
    await assert.rejects(readFileSensor('/sys/devices/virtual/net/lo/subsystem/lo/mtu', signal), {
      word: 'Unreachable',
    });
    await assert.rejects(readFileSensor('/proc/slabinfo', signal), { word: 'FileNotAllowed' });
    await assert.rejects(readFileSensor('/proc/sys/net', signal), { word: 'FileNotAllowed' });
    await assert.rejects(readFileSensor('/proc/pressure/nothing', signal), { word: 'Unreachable' });
  });

  it('are served from the namespace of the release alone', () => {
    const spec = { file: { path: '/proc/meminfo' } };
    const node = { nodeName: 'node1', releaseNamespace: 'slice-system' };
    const [theirs, ours] = [sensorOf('theirs', spec, 'tenant'), sensorOf('ours', spec, 'slice-system')];
    assert.deepEqual(planServed([theirs, ours], [], node), [ours]);
  });

  it('are refused by the schema where they name something else than /proc and /sys', () => {
    const wrong = (path: string) => validateSensor(sensorOf('x', { file: { path } })).length > 0;
    for (const path of ['/etc/shadow', '/proc/../etc/shadow', '/proc/.hidden', '/proc//stat', '/proc/']) {
      assert.ok(wrong(path), path);
    }
    assert.ok(!wrong('/proc/sys/net/ipv4/ip_forward'));
  });
});

describe('openBeneath', () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'beneath-'));
    mkdirSync(join(root, 'in/deep'), { recursive: true });
    writeFileSync(join(root, 'in/deep/file'), 'inside');
    writeFileSync(join(root, 'secret'), 'outside');
    symlinkSync('../secret', join(root, 'in/link'));
    symlinkSync('deep', join(root, 'in/directory'));
    symlinkSync('/proc/self/root', join(root, 'in/magic'));
    linkSync(join(root, 'in/deep/file'), join(root, 'in/hard'));
    execFileSync('mkfifo', [join(root, 'in/fifo')]);
  });
  after(() => rmSync(root, { recursive: true }));

  const text = (path: string): string => {
    const fd = openBeneath(join(root, 'in'), path);
    try {
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  };

  it('opens what is there', () => assert.equal(text('deep/file'), 'inside'));

  for (const [path, code] of Object.entries({
    '../secret': 'EXDEV',
    'deep/../../secret': 'EXDEV',
    link: 'ELOOP',
    'directory/file': 'ELOOP',
    'magic/etc/passwd': 'ELOOP',
    '/etc/passwd': 'EXDEV',
    nothing: 'ENOENT',
  })) {
    it(`refuses ${path} with ${code}`, () => assert.throws(() => text(path), { code }));
  }

  it('crosses no mount', () => assert.throws(() => openBeneath('/', 'proc/version'), { code: 'EXDEV' }));

  it('does not wait for the other end of a FIFO', () => closeSync(openBeneath(join(root, 'in'), 'fifo')));
});
