import assert from 'node:assert/strict';
import { exposition } from '../../../kube/exposition.ts';
import type { SliverCounters } from '../../../node-daemonset/bpf/kernel.ts';
import { planFamilies } from '../../../node-daemonset/usage/families.ts';
import { createUsageReader, type UsageParts } from '../../../node-daemonset/usage/usage.ts';
import { NO_RIGHT, type PodRecord } from '../../../node-daemonset/pods.ts';
import { makeDesired, makeSliver } from '../desired.ts';

const record = (uid: string, publishedAt: number): PodRecord => ({
  uid,
  name: `pod-${uid}`,
  rcap: { namespace: 'site', name: 'slice-a', uid: 'r' },
  slice: 'slice',
  classId: 0x101,
  number: 1,
  targetPath: '/',
  publishedAt,
  addresses: [],
  amounts: NO_RIGHT,
});

const counted = (bytes: number): { bytes: number; packets: number; drops: number; backlog: number } => ({
  bytes,
  packets: bytes / 100,
  drops: 3,
  backlog: 1514,
});

describe('usage of slivers', () => {
  let now = 0;
  let readings = 0;
  let parts: UsageParts;
  const text = (): string => exposition(planFamilies(createUsageReader(parts)()));

  beforeEach(() => {
    now = 1e12;
    readings = 0;
    const sliver = makeSliver('a', { shares: 300, egressGuarantee: 30e6, egressLimit: 50e6, memory: 2 ** 20 });
    parts = {
      cpu: {
        read: (pods) =>
          new Map(pods.map(({ uid, capped }) => [uid, { used: 2e9, throttled: capped ? 5e8 : undefined }])),
      },
      desired: () => makeDesired([{ ...sliver, number: 7 }], { cpuMilli: 4000, egressLimit: 100e6 }),
      pods: () => [record('a', 1)],
      lines: () => {
        readings++;
        const classes = new Map([0x1, 0x2, 0x10, 0x101, 0x8101].map((minor) => [minor, counted(minor * 100)]));
        return new Map([['eth0', classes]]);
      },
      guarded: () =>
        new Map([[7, { packets: 5, bytes: 500, drops: { address: 2, port: 0 } } as unknown as SliverCounters]]),
      now: () => now,
    };
  });

  it('is told as promised and got, in base units', () => {
    const own = '{namespace="site",slice="slice",pod="pod-a"}';
    const told = text();
    for (const line of [
      `slice_sliver_entitled${own} 1`,
      `slice_sliver_restrained${own} 0`,
      `slice_sliver_cpu_shares${own} 300`,
      `slice_sliver_cpu_seconds_total${own} 2`,
      `slice_sliver_memory_limit_bytes${own} 1048576`,
      `slice_sliver_egress_guarantee_bytes_per_second${own} 3750000`,
      `slice_sliver_egress_limit_bytes_per_second${own} 6250000`,
      `slice_sliver_egress_bytes_total${own.slice(0, -1)},interface="eth0",destinations="Limited"} 25700`,
      `slice_sliver_egress_bytes_total${own.slice(0, -1)},interface="eth0",destinations="Exempt"} 3302500`,
      `slice_sliver_egress_backlog_bytes${own.slice(0, -1)},interface="eth0",destinations="Limited"} 1514`,
      `slice_sliver_packets_total${own} 5`,
      `slice_sliver_dropped_total${own.slice(0, -1)},reason="address"} 2`,
      'slice_node_cpu_cores 4',
      'slice_node_egress_limit_bytes_per_second 12500000',
      'slice_node_egress_bytes_total{interface="eth0",class="slivers"} 1600',
    ]) {
      assert.ok(told.includes(`${line}\n`), `${line} is not in\n${told}`);
    }
    assert.doesNotMatch(told, /reason="port"/, 'what never happened has no series');
    assert.doesNotMatch(told, /throttled/, 'it has no quota');
    parts.cpu.read = () => new Map();
    assert.doesNotMatch(text(), /cpu_seconds_total/, 'a cgroup that is gone has none');
  });

  it('tells how long a quota stopped it, where it has one', () => {
    parts.desired = () => makeDesired([makeSliver('a', { excess: 'None' })]);
    assert.match(text(), /slice_sliver_cpu_throttled_seconds_total\{[^}]*\} 0\.5\n/);
  });

  it('promises no more than others hold a sliver to', () => {
    const sliver = makeSliver('a', { egressGuarantee: 30e6, egressLimit: 50e6 });
    parts.desired = () => makeDesired([{ ...sliver, restraintLimit: 8e6 }]);
    assert.match(text(), /slice_sliver_restrained\{[^}]*\} 1\n/);
    for (const what of ['guarantee', 'limit']) {
      assert.match(text(), new RegExp(`slice_sliver_egress_${what}_bytes_per_second\\{[^}]*\\} 1000000\n`));
    }
  });

  it('is read once for all who ask within a second', () => {
    const read = createUsageReader(parts);
    assert.equal(read(), read());
    assert.equal(readings, 1);
    now += 1000;
    read();
    assert.equal(readings, 2);
    now -= 5000;
    read();
    assert.equal(readings, 3, 'a clock that was set back stops nothing');
  });

  it('has one pod for a right, that which is entitled, else the later one', () => {
    const two = (a: 'entitled' | 'penalised'): void => {
      const rcap = { namespace: 'site', name: 'slice-a', uid: 'r' };
      const slivers = [
        makeSliver('a', {}, { rcap, standing: a }),
        makeSliver('b', {}, { rcap, standing: 'penalised' }),
      ];
      parts.desired = () => makeDesired(slivers);
      parts.pods = () => [record('a', 1), record('b', 2)];
    };
    const pods = (): string[] => createUsageReader(parts)().slivers.map(({ pod }) => pod);
    two('entitled');
    assert.deepEqual(pods(), ['pod-a']);
    two('penalised');
    assert.deepEqual(pods(), ['pod-b']);
  });

  it('has nothing to say before the first pass', () => {
    parts.desired = () => undefined;
    const told = text();
    assert.doesNotMatch(told, /slice_sliver|slice_node_cpu_cores/);
    assert.match(told, /slice_node_egress_bytes_total/);
  });

  it('escapes whatever a label holds', () => {
    const rcap = { namespace: 'a"b\\c\nd', name: 'x', uid: 'r' };
    parts.desired = () => makeDesired([makeSliver('a', {}, { rcap })]);
    assert.match(text(), /namespace="a\\"b\\\\c\\nd"/);
  });
});
