import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpuMeter, createCpuMeter } from '../../../node-daemonset/cpu/usage.ts';

describe('CPU usage of pods', () => {
  let root: string;
  let meter: CpuMeter | undefined;
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const v1 = (): CpuMeter => {
    const mounts = ['cpu', 'cpuacct'].map((name) => `30 23 0:1 / ${root}/${name} rw - cgroup cgroup rw,${name}`);
    return (meter = createCpuMeter({ mountinfo: mounts.join('\n') }));
  };
  const openFiles = (): number => readdirSync('/proc/self/fd').length;

  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'cpu-'))));
  afterEach(() => {
    meter?.close();
    rmSync(root, { recursive: true });
  });

  it('is read from v1, and the time without quota of those that have one', () => {
    for (const uid of ['x', 'y']) {
      write(`cpuacct/kubepods/burstable/pod${uid}/cpuacct.usage`, '1234567890\n');
      write(`cpu/kubepods/burstable/pod${uid}/cpu.stat`, 'nr_periods 3\nnr_throttled 2\nthrottled_time 77\n');
    }
    const found = v1().read([
      { uid: 'x', capped: false },
      { uid: 'y', capped: true },
      { uid: 'gone', capped: true },
    ]);
    assert.deepEqual(
      [...found],
      [
        ['x', { used: 1234567890, throttled: undefined }],
        ['y', { used: 1234567890, throttled: 77 }],
      ],
    );
  });

  it('is read from v2', () => {
    write('kubepods/podx/cpu.stat', 'usage_usec 55\nuser_usec 50\nnr_throttled 1\nthrottled_usec 4\n');
    meter = createCpuMeter({ mountinfo: `30 23 0:1 / ${root} rw - cgroup2 cgroup2 rw` });
    assert.deepEqual(meter.read([{ uid: 'x', capped: true }]).get('x'), { used: 55_000, throttled: 4_000 });
  });

  it('is as it is now, of a pod that was read before, too', () => {
    write('cpuacct/kubepods/podx/cpuacct.usage', '1\n');
    write('cpu/kubepods/podx/cpu.stat', 'throttled_time 5\n');
    v1().read([{ uid: 'x', capped: false }]);
    write('cpuacct/kubepods/podx/cpuacct.usage', '2\n');
    assert.deepEqual(meter!.read([{ uid: 'x', capped: true }]).get('x'), { used: 2, throttled: 5 });
  });

  it('leaves no file open of pods that are asked for no more', () => {
    write('cpuacct/kubepods/podx/cpuacct.usage', '1\n');
    write('cpu/kubepods/podx/cpu.stat', 'throttled_time 5\n');
    const before = openFiles();
    v1().read([{ uid: 'x', capped: true }]);
    assert.equal(openFiles(), before + 2);
    meter!.read([]);
    assert.equal(openFiles(), before);
  });

  it('is nothing where no kubelet has pods', () => {
    assert.equal(createCpuMeter({ mountinfo: '' }).read([{ uid: 'x', capped: false }]).size, 0);
  });
});
