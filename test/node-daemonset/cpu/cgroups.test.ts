import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CgroupError, findPods, openTree, parseMounts, readCpuTime } from '../../../node-daemonset/cpu/cgroups.ts';

const UID = '0bd6c6a6-1111-2222-3333-444455556666';

describe('cgroups of pods', () => {
  let root: string;
  const make = (path: string): void => void mkdirSync(join(root, path), { recursive: true });
  const v1 = (...controllers: string[]): string =>
    controllers.map((name) => `30 23 0:1 / ${root}/${name} rw,relatime - cgroup cgroup rw,${name}`).join('\n');
  const v2 = (point = root): string => `41 31 0:38 / ${point} rw - cgroup2 cgroup2 rw`;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('reads mountinfo with optional fields and escaped blanks', () => {
    const text =
      '31 23 0:28 / /sys/fs/cgroup/a\\040b rw shared:7 master:1 - cgroup cgroup rw,cpu,cpuacct\n32 23 0:1 / / rw - ext4 /dev/x rw';
    assert.deepEqual(parseMounts(text), [
      { point: '/sys/fs/cgroup/a b', version: 1, options: ['rw', 'cpu', 'cpuacct'] },
    ]);
  });

  it('finds pods of all three kinds under the cgroupfs driver on v1', () => {
    for (const path of [`burstable/pod${UID}`, 'besteffort/podb', 'podg', 'burstable/other'])
      make(`cpu/kubepods/${path}`);
    const tree = openTree({ mountinfo: v1('cpu', 'memory') });
    assert.equal(tree.driver, 'cgroupfs');
    assert.equal(tree.burstable, 'kubepods/burstable');
    assert.equal(tree.version('cpu'), 1);
    const found = [...findPods(tree).values()].map(({ uid, parent }) => [uid, parent]).sort();
    assert.deepEqual(found, [
      [UID, 'burstable'],
      ['b', 'besteffort'],
      ['g', 'guaranteed'],
    ]);
    assert.equal(
      tree.directory('memory', findPods(tree).get(UID)!.path),
      `${root}/memory/kubepods/burstable/pod${UID}`,
    );
    assert.equal(tree.directory('hugetlb', ''), undefined);
  });

  it('finds pods under the systemd driver on v2, their uids with dashes', () => {
    make(`kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-x.scope`);
    make('kubepods.slice/kubepods-podg_1.slice');
    const tree = openTree({ mountinfo: v2() });
    assert.equal(tree.driver, 'systemd');
    assert.equal(tree.version('pids'), 2);
    const found = [...findPods(tree).values()].map(({ uid, parent }) => [uid, parent]).sort();
    assert.deepEqual(found, [
      [UID, 'burstable'],
      ['g-1', 'guaranteed'],
    ]);
  });

  it('takes v2 for what v1 has not, on hybrid hosts', () => {
    make('cpu/kubepods/burstable');
    make('unified/kubepods');
    const tree = openTree({ mountinfo: `${v1('cpu')}\n${v2(join(root, 'unified'))}` });
    assert.deepEqual([tree.version('cpu'), tree.version('pids'), tree.version('unified')], [1, 2, 2]);
  });

  it('finds a kubelet with a cgroup root of its own, and a node below a prefix', () => {
    make('kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice');
    assert.equal(
      openTree({ mountinfo: v2() }).burstable,
      'kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice',
    );
    make('kc/node1/kubepods');
    assert.equal(openTree({ mountinfo: v2(), prefix: 'kc/node1' }).kubepods, 'kc/node1/kubepods');
  });

  it('refuses to guess between two nodes, and to find none', () => {
    assert.throws(() => openTree({ mountinfo: v2() }), CgroupError);
    make('node1/kubepods');
    make('node2/kubepods');
    assert.throws(() => openTree({ mountinfo: v2() }), /more than one/);
    assert.throws(() => openTree({ mountinfo: '' }), CgroupError);
  });

  it("prefers the host's mount of a tree to a container's own", () => {
    make('host/kubepods');
    make('own');
    const tree = openTree({ mountinfo: `${v2(join(root, 'own'))}\n${v2(join(root, 'host'))}` });
    assert.equal(tree.directory('cpu', ''), `${root}/host/`.replace(/\/$/, ''));
  });

  it('reads CPU time in nanoseconds from v1 and v2, and nothing of what is gone', () => {
    make('cpuacct/kubepods/podx');
    make('cpu/kubepods');
    writeFileSync(join(root, 'cpuacct/kubepods/podx/cpuacct.usage'), '1234567890\n');
    assert.equal(readCpuTime(openTree({ mountinfo: v1('cpu', 'cpuacct') }), 'kubepods/podx'), 1234567890);
    make('kubepods/podx');
    writeFileSync(join(root, 'kubepods/podx/cpu.stat'), 'usage_usec 55\nuser_usec 50\n');
    assert.equal(readCpuTime(openTree({ mountinfo: v2() }), 'kubepods/podx'), 55_000);
    assert.equal(readCpuTime(openTree({ mountinfo: v2() }), 'kubepods/pody'), undefined);
  });
});
