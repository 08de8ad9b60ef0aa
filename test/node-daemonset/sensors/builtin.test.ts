/** The builtins: what the kernel's text becomes, whose rows are whose, and what a probe costs. */
import assert from 'node:assert/strict';
import type { Reading } from '../../../crds/reading.ts';
import { amounts } from '../../../crds/rspec.ts';
import type { FlowQuery } from '../../../crds/flowquery.ts';
import { EMPTY_STATE } from '../../../node-daemonset/checkpoint.ts';
import { flowsSensor, questionOf } from '../../../node-daemonset/sensors/builtin/flows.ts';
import { machineSensors, parseCpus, parseMeminfo } from '../../../node-daemonset/sensors/builtin/machine.ts';
import { nodesSensor, NodeList } from '../../../node-daemonset/sensors/builtin/nodes.ts';
import { parsePing, parseTraceroute } from '../../../node-daemonset/sensors/builtin/probe.ts';
import { ProbeBudget } from '../../../node-daemonset/sensors/builtin/probebudget.ts';
import { Rates } from '../../../node-daemonset/sensors/builtin/rates.ts';
import { rightsSensors } from '../../../node-daemonset/sensors/builtin/rights.ts';
import { sliverSensors } from '../../../node-daemonset/sensors/builtin/slivers.ts';
import { destinationOf, topologySensors } from '../../../node-daemonset/sensors/builtin/topology.ts';
import { SensorRegistry } from '../../../node-daemonset/sensors/readings.ts';
import type { Asker } from '../../../node-daemonset/sensors/registry.ts';
import type { Source } from '../../../node-daemonset/sensors/source.ts';
import { sliverOf } from './world.ts';

const PUBLIC: Asker = { kind: 'public' };
const SLIVER: Asker = { kind: 'sliver', slice: 'lab/probe' };
const signal = new AbortController().signal;

function named(sources: readonly Source[], name: string): (args?: string[], asker?: Asker) => Promise<Reading> {
  const source = sources.find(({ info }) => info.name === name)!;
  return (args = [], asker = PUBLIC) => source.read(args, asker, signal);
}
const objects = ({ columns, rows }: Reading): Record<string, unknown>[] =>
  rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));

describe('the builtin sensors', () => {
  it('of the machine are all there, each with its columns', async () => {
    for (const source of machineSensors({ disks: ['/'], now: Date.now })) {
      const { columns, rows } = await source.read([], PUBLIC, signal);
      assert.ok(rows.length >= 1 && rows.every((row) => row.length === columns.length), source.info.name);
      assert.ok(
        rows[0]!.some((cell) => cell !== null),
        source.info.name,
      );
    }
    assert.deepEqual(parseMeminfo('MemTotal:  2 kB\nSwapFree: 0 kB\nHugePages_Total: 3\n').total, 2048);
    const [cpu] = parseCpus('cpu  9 9\ncpu0 100 0 200 300 0 0 0 50 0 0\nintr 1\n');
    assert.deepEqual([cpu!.cpu, cpu!.user, cpu!.system, cpu!.idle, cpu!.steal], [0, 1, 2, 3, 0.5]);
  });

  it('of slivers are by slice, in one namespace or in all', async () => {
    let [bytes, time] = [1_000, 10_000];
    const other = {
      ...sliverOf('probe'),
      id: 'other',
      rcap: { namespace: 'site', name: 'x', uid: 'y' },
      classId: 0x102,
    };
    const sent = new Rates();
    const sources = sliverSensors({
      rates: { sent, cpu: new Rates() },
      slivers: () => [sliverOf('probe'), other, sliverOf('web')],
      classes: () =>
        new Map([
          [0x101, { bytes, packets: 10, drops: 3, backlog: 0 }],
          [0x8101, { bytes: 500, packets: 1, drops: 0, backlog: 0 }],
        ]),
      drops: () => new Map([[7, { packets: 1, bytes: 1, drops: { port: 2, ended: 0 } as never }]]),
      usage: () => new Map(),
      now: () => time,
    });
    const bandwidth = named(sources, 'bandwidth');
    const first = objects(await bandwidth(['observatory', 'probe']));
    assert.deepEqual([first.length, first[0]!.bytes, first[0]!.rate], [1, 1_500, null]);
    [bytes, time] = [2_000, 12_000];
    sent.sample(new Map([['uid-probe', 1_000]]), 10_000);
    sent.sample(new Map([['uid-probe', 2_000]]), 12_000);
    assert.equal(objects(await bandwidth(['observatory', 'probe']))[0]!.rate, 4_000);
    assert.equal((await bandwidth(['probe'])).rows.length, 2);
    // two pods of one slice are two counters
    for (const name of ['bandwidth', 'cpu', 'memory', 'drops']) {
      for (const { pod } of objects(await named(sources, name)())) assert.match(String(pod), /./, name);
    }
    assert.equal(new Set(objects(await bandwidth()).map(({ pod }) => pod)).size, 3);
    assert.equal((await bandwidth()).rows.length, 3);
    await assert.rejects(bandwidth(['nobody']), { reason: 'NotFound' });
    await assert.rejects(bandwidth(['a', 'b', 'c']), { reason: 'BadArguments' });
    assert.deepEqual(
      objects(await named(sources, 'drops')(['observatory', 'probe'])).map(({ reason, packets }) => [reason, packets]),
      [
        ['port', 2],
        ['queue', 3],
      ],
    );
  });

  it('of rights tell granted from denied, and ports from those of tomorrow', async () => {
    const granted = { ...amounts({}), ports: [{ protocol: 'TCP' as const, port: 8085 }] };
    const grant = { generation: 1, amounts: granted, contact: 'a@b', sliceName: 'probe', time: 0 };
    const refusal = { generation: 1, reason: 'PortInUse', message: '', time: 0 };
    const of = (name: string) => ({ uid: name, namespace: 'lab', name });
    const entries = [
      { ...of('now'), grant: { ...grant, period: { start: undefined, end: undefined } } },
      { ...of('tomorrow'), grant: { ...grant, period: { start: 9_000, end: undefined } } },
      { ...of('denied'), refusal },
    ];
    const state = { ...EMPTY_STATE, ledger: { ...EMPTY_STATE.ledger, entries } };
    const sources = rightsSensors({ state: () => state, now: () => 1_000 });
    assert.deepEqual((await named(sources, 'ports')()).rows, [['TCP', 8085, 'lab', 'probe', 'Pod']]);
    const verdicts = objects(await named(sources, 'capabilities')()).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, ['Granted', 'Granted', 'Denied']);
  });

  it('tell a slice of its own flows only', async () => {
    assert.deepEqual(questionOf([], SLIVER), { slice: 'lab/probe', limit: 100 });
    assert.deepEqual(questionOf(['7'], SLIVER), { slice: 'lab/probe', limit: 7 });
    assert.throws(() => questionOf(['lab', 'other'], SLIVER), { reason: 'Forbidden' });
    assert.throws(() => questionOf([], { kind: 'node' }), { reason: 'BadArguments' });
    assert.throws(() => questionOf(['0'], SLIVER), { reason: 'BadArguments' });
    const asked: FlowQuery[] = [];
    const source = flowsSensor({ ask: async (query) => (asked.push(query), { flows: [] }), now: () => 5_000_000 });
    assert.equal(source.info.access, 'Own');
    await source.read([], SLIVER, signal);
    assert.deepEqual([asked[0]!.namespace, asked[0]!.slice], ['lab', 'probe']);
  });
});

describe('the topology', () => {
  const client = {
    request: async <T>() =>
      ({
        metadata: {},
        items: [
          { metadata: { name: 'b' }, status: { node: { address: '10.0.0.2' }, address: '192.0.2.66' } },
          { metadata: { name: 'a' }, status: { node: { address: '10.0.0.1' } } },
          { metadata: { name: 'new' } },
        ],
      }) as T,
  };

  it('knows the nodes, as PlanetLab’s users asked for them', async () => {
    const nodes = named([nodesSensor(new NodeList(client), Date.now)], 'nodes');
    assert.deepEqual((await nodes(['ip', 'name'])).rows, [
      ['10.0.0.1', 'a'],
      ['10.0.0.2', 'b'],
      [null, 'new'],
    ]);
    assert.deepEqual(
      (await nodes(['name'])).columns.map(({ name }) => name),
      ['name'],
    );
    await assert.rejects(nodes(['shoe']), { reason: 'BadArguments' });
    await assert.rejects(nodes(['ip', 'ip']), { reason: 'BadArguments' });
  });

  it('goes to nodes for everybody, elsewhere for slices, and never to this machine', async () => {
    const nodes = await new NodeList(client).get(signal);
    assert.deepEqual(destinationOf(['a'], nodes, PUBLIC), { address: '10.0.0.1', node: 'a' });
    assert.deepEqual(destinationOf(['10.0.0.2'], nodes, PUBLIC), { address: '10.0.0.2', node: 'b' });
    assert.deepEqual(destinationOf(['192.0.2.1'], nodes, SLIVER), { address: '192.0.2.1', node: undefined });
    assert.throws(() => destinationOf(['192.0.2.1'], nodes, PUBLIC), { reason: 'Forbidden' });
    assert.throws(() => destinationOf(['new'], nodes, PUBLIC), { reason: 'NotFound' });
    assert.throws(() => destinationOf(['example.org'], nodes, SLIVER), { reason: 'NotFound' });
    for (const ip of ['169.254.169.254', '127.0.0.1', '224.0.0.1', '::1']) {
      const stolen = [{ name: 'stolen', ip }];
      assert.throws(() => destinationOf(['stolen'], stolen, PUBLIC), { reason: 'BadArguments' }, ip);
    }
    const claimed = [...nodes, { name: 'stolen', ip: '10.0.0.1' }];
    assert.deepEqual(destinationOf(['10.0.0.1'], claimed, SLIVER), { address: '10.0.0.1', node: undefined });
    for (const own of [
      '127.0.0.1',
      '169.254.169.254',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      'fe80::1',
      '::ffff:127.0.0.1',
    ]) {
      assert.throws(() => destinationOf([own], nodes, SLIVER), { name: 'SensorError' }, own);
    }
    for (const option of ['-f', '--help', '1.2.3.4;reboot']) {
      assert.throws(() => destinationOf([option], nodes, SLIVER), { reason: 'NotFound' });
    }
  });

  it('has a budget that no namespace uses up alone', async () => {
    let now = 0;
    let perMinute = 24;
    const budget = new ProbeBudget(
      () => perMinute,
      () => now,
    );
    const take = (asker: Asker): number => Array.from({ length: 50 }, () => budget.take(asker)).filter(Boolean).length;
    assert.equal(take(SLIVER), 2);
    assert.equal(take({ kind: 'sliver', slice: 'lab/other' }), 0);
    assert.equal(take({ kind: 'sliver', slice: 'other/probe' }), 2);
    assert.equal(take(SLIVER), 0);
    now += 60_000;
    assert.equal(take(SLIVER), 2);
    perMinute = 0;
    assert.equal(take(PUBLIC), 0);

    const probes = {
      ping: async () => ({ sent: 3, received: 3, min: 1, mean: 2, max: 3 }),
      traceroute: async () => [],
    };
    const parts = { nodeName: 'a', nodes: new NodeList(client), probes, now: Date.now };
    const poor = topologySensors({ ...parts, budget: { take: () => false } });
    await assert.rejects(named(poor, 'ping')(['b']), { reason: 'Busy' });
    const rich = topologySensors({ ...parts, budget: { take: () => true } });
    assert.equal(objects(await named(rich, 'topology')())[0]!.mean, null);
    await named(rich, 'ping')(['192.0.2.9'], SLIVER);
    await named(rich, 'ping')(['b']);
    const known = objects(await named(rich, 'topology')());
    assert.deepEqual(
      known.map(({ destination, mean }) => [destination, mean]),
      [
        ['b', 2],
        ['new', null],
      ],
    );
  });

  it('tells a slice nothing of what another one looks at; nodes’ distances are measured once for all', async () => {
    let sent = 0;
    const ping = async () => ({ sent: ++sent, received: 1, min: 1, mean: 1, max: 1 });
    const probes = { ping, traceroute: async () => [] };
    const parts = { nodeName: 'a', nodes: new NodeList(client), probes, now: Date.now, budget: { take: () => true } };
    const sources = new Map(topologySensors(parts).map((source) => [source.info.name, source]));
    const registry = new SensorRegistry({ sources: () => sources });
    const other: Asker = { kind: 'sliver', slice: 'other/probe' };
    const probesFor = async (address: string, asker: Asker): Promise<unknown> =>
      objects(await registry.read('ping', [address], asker, signal))[0]!.sent;
    assert.deepEqual([await probesFor('192.0.2.9', SLIVER), await probesFor('192.0.2.9', SLIVER)], [1, 1]);
    assert.equal(await probesFor('192.0.2.9', other), 2);
    assert.deepEqual(
      [await probesFor('b', SLIVER), await probesFor('b', other), await probesFor('b', PUBLIC)],
      [3, 3, 3],
    );
  });

  it('reads what ping and traceroute print', () => {
    const text =
      'PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n\n--- 10.0.0.2 ping statistics ---\n' +
      '3 packets transmitted, 2 received, 33.3333% packet loss, time 402ms\nrtt min/avg/max/mdev = 0.018/0.029/0.036/0.008 ms\n';
    assert.deepEqual(parsePing(text), { sent: 3, received: 2, min: 0.018, mean: 0.029, max: 0.036 });
    const lost = parsePing('3 packets transmitted, 0 received, 100% packet loss, time 2032ms\n');
    assert.deepEqual(lost, { sent: 3, received: 0, min: null, mean: null, max: null });
    assert.throws(() => parsePing('ping: connect: Network is unreachable\n'), { word: 'NotParsed' });
    const hops =
      'traceroute to 10.0.0.2 (10.0.0.2), 30 hops max, 60 byte packets\n 1  10.0.0.1  0.4 ms\n 2  *\n 3  10.0.0.2  1.5 ms\n';
    assert.deepEqual(parseTraceroute(hops), [
      { hop: 1, address: '10.0.0.1', rtt: 0.4 },
      { hop: 2, address: undefined, rtt: null },
      { hop: 3, address: '10.0.0.2', rtt: 1.5 },
    ]);
  });
});
