import assert from 'node:assert/strict';
import { isUnified, parseHierarchies } from '../cluster/cgroups.ts';
import type { Cluster } from '../cluster/config.ts';
import { kubeletConfig, nodeFiles } from '../cluster/nodefiles.ts';

const cluster: Cluster = {
  name: 'demo',
  index: 3,
  cpus: [0, 1, 2, 3],
  cpusPerNode: 1,
  binaries: '/bin/kubernetes',
  minor: 20,
  dir: '/cache/clusters/demo',
  cache: '/cache',
};
const machine = { cpus: 4, memory: 12 * 2 ** 30 };

interface Kubelet {
  kubeReserved: { cpu: string; memory: string };
  failCgroupV1?: boolean;
}

describe('harness: files of a node', () => {
  it('reserves what the node does not have: the other CPUs, two thirds of the memory', () => {
    const { kubeReserved } = kubeletConfig(cluster, '/node', machine) as Kubelet;
    assert.deepEqual(kubeReserved, { cpu: '3', memory: '8192Mi' });
    const all = kubeletConfig({ ...cluster, cpusPerNode: 4 }, '/node', machine) as Kubelet;
    assert.equal(all.kubeReserved.cpu, '0');
  });

  it('speaks to each kubelet in flags and fields that it knows', () => {
    assert.match(nodeFiles(cluster, 1, machine)['kubelet.argv']!, /^--container-runtime=remote$/m);
    const newer = nodeFiles({ ...cluster, minor: 36 }, 1, machine);
    assert.doesNotMatch(newer['kubelet.argv']!, /--container-runtime/);
    assert.match(newer['kubelet.json']!, /containerRuntimeEndpoint/);
    assert.match(newer['kubelet.json']!, /failCgroupV1/);
    assert.doesNotMatch(nodeFiles(cluster, 1, machine)['kubelet.json']!, /failCgroupV1/);
  });

  it('gives two nodes different names, addresses and pods', () => {
    const [one, two] = [1, 2].map((n) => nodeFiles(cluster, n, machine));
    for (const file of ['kubelet.argv', 'cni/10-pods.conflist', 'kube-proxy.json'])
      assert.notEqual(one![file], two![file]);
    assert.match(two!['cni/10-pods.conflist']!, /10\.243\.2\.0\/24/);
  });
});

describe('harness: cgroup hierarchies', () => {
  const v1 = [
    '30 24 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755',
    '31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct',
    '32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
    '33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate',
    '34 30 0:27 / /elsewhere rw - cgroup cgroup rw,cpu,cpuacct',
  ].join('\n');

  it('finds each once, by what it controls', () => {
    assert.deepEqual(parseHierarchies(v1), [
      { mountPoint: '/sys/fs/cgroup/cpu,cpuacct', type: 'cgroup', options: 'cpu,cpuacct' },
      { mountPoint: '/sys/fs/cgroup/systemd', type: 'cgroup', options: 'none,name=systemd' },
      { mountPoint: '/sys/fs/cgroup/unified', type: 'cgroup2', options: '-' },
    ]);
    assert.equal(isUnified(parseHierarchies(v1)), false);
  });

  it('knows a machine with v2 alone', () => {
    const v2 = parseHierarchies('29 23 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate');
    assert.equal(v2.length, 1);
    assert.equal(isUnified(v2), true);
  });
});
