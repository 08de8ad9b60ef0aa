import assert from 'node:assert/strict';
import type { Cell, Column, Reading } from '../../../crds/reading.ts';
import { exposition } from '../../../kube/exposition.ts';
import type { SensorInfo } from '../../../node-daemonset/sensors/registry.ts';
import { planSensorFamilies, type SensorFamilies } from '../../../node-daemonset/usage/columns.ts';
import { exportedOf, readExported } from '../../../node-daemonset/usage/exported.ts';
import { promtool } from '../../chart/prometheus/promtool.ts';

const COLUMNS: Column[] = [
  { name: 'slice', type: 'string' },
  { name: 'node', type: 'string' },
  { name: 'sent', type: 'integer', unit: 'bytes', metric: 'counter', help: 'What was sent.' },
  { name: 'rate', type: 'number', unit: 'bits/s', metric: 'gauge' },
  { name: 'delay', type: 'number', unit: 'ms', metric: 'gauge' },
  { name: 'untold', type: 'integer' },
  { name: 'when', type: 'time', metric: 'gauge' },
];
const reading = (...rows: Reading['rows']): Reading => ({ columns: COLUMNS, rows, time: 0 });
const info = (name: string, given: Partial<SensorInfo> = {}): SensorInfo => ({
  name,
  origin: 'Builtin',
  type: 'Snapshot',
  description: '',
  columns: COLUMNS,
  cacheMs: 1000,
  access: 'Public',
  exported: true,
  ...given,
});

const samplesOf = ({ families }: SensorFamilies): number =>
  families.reduce((sum, { samples }) => sum + samples.length, 0);

describe('columns of sensors', () => {
  it('are metrics in base units, labelled by the columns of text', async () => {
    const text = exposition(
      planSensorFamilies([
        {
          sensor: 'bandwidth',
          reading: reading(['a"b', 'n', 5, 8000, 20, 1, null], ['c', null, null, 16, 1, 1, null]),
        },
      ]).families,
    );
    const own = '{slice="a\\"b",column_node="n",sensor="bandwidth"}';
    assert.deepEqual(
      text.split('\n').filter((line) => !line.startsWith('#')),
      [
        `slice_sensor_sent_bytes_total${own} 5`,
        `slice_sensor_rate_bytes_per_second${own} 1000`,
        'slice_sensor_rate_bytes_per_second{slice="c",column_node="",sensor="bandwidth"} 2',
        `slice_sensor_delay_seconds${own} 0.02`,
        'slice_sensor_delay_seconds{slice="c",column_node="",sensor="bandwidth"} 0.001',
        '',
      ],
    );
    await promtool(['check', 'metrics'], text);
  }).timeout(600_000);

  it('are what promtool accepts, what units they have, and what they end with', async () => {
    const names = ['load1', 'Free_Bytes', 'row_count', 'load_sum', 'leaky_bucket', 'sent_total', 'mhz', 'x'];
    const units = ['', 'bytes', 'kB', 'ms', '%', 'MHz', 'things/s', 'bits/s', 'hours'];
    const columns = names.flatMap((name) =>
      (['gauge', 'counter'] as const).flatMap((metric) =>
        units.map((unit, i): Column => ({ name: `${metric}s${i}_${name}`, type: 'number', unit, metric })),
      ),
    );
    const { families } = planSensorFamilies([
      { sensor: 'x', reading: { columns, rows: [columns.map(() => 1)], time: 0 } },
    ]);
    assert.equal(families.length, columns.length);
    await promtool(['check', 'metrics'], exposition(families));
  }).timeout(600_000);

  it('are no more series than Prometheus can be asked to keep', () => {
    const many = reading(...Array.from({ length: 5000 }, (_, i) => [`s${i}`, 'n', i, i, i, i, null] as const));
    const plan = (sensors: number) =>
      planSensorFamilies(Array.from({ length: sensors }, (_, i) => ({ sensor: `s${i}`, reading: many })));
    assert.deepEqual([samplesOf(plan(1)), plan(1).leftOut], [1000, 14_000]);
    assert.deepEqual([samplesOf(plan(50)), plan(50).leftOut], [10_000, 740_000]);
  });

  it('are no more text than a scrape should have, whatever the texts are', () => {
    const columns = Array.from({ length: 63 }, (_, i): Column => ({ name: `label_of_mine_${i}`, type: 'string' }));
    columns.push({ name: 'v', type: 'integer', metric: 'gauge' });
    const rows = Array.from({ length: 1000 }, (_, i) => [...Array(63).fill(`${i}${'"'.repeat(252)}`), i] as Cell[]);
    const sensors = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ sensor: `a.s${i}`, reading: { columns, rows, time: 0 } }));
    const size = (count: number): number => exposition(planSensorFamilies(sensors(count)).families).length;
    assert.ok(size(1) > 2 ** 19 && size(1) <= 2 ** 20);
    assert.ok(size(10) > 2 ** 21 && size(10) <= 2 ** 22);
  });

  it('are shared by namespace, and first come those of the cluster’s admins', () => {
    const many = reading(...Array.from({ length: 1000 }, (_, i) => [`s${i}`, 'n', i, null, null, i, null] as const));
    const few = reading(['a', 'n', 1, null, null, 1, null]);
    const flood = Array.from({ length: 30 }, (_, i) => ({ sensor: `aaa.s${i}`, reading: many }));
    const plan = planSensorFamilies(
      [...flood, { sensor: 'lab.one', reading: few }, { sensor: 'slice-system.admin', reading: many }],
      'slice-system',
    );
    const of = (sensor: string): number =>
      plan.families.flatMap(({ samples }) => samples).filter(([set]) => set.includes(`sensor="${sensor}`)).length;
    assert.deepEqual([of('slice-system.'), of('lab.'), of('aaa.')], [1000, 1, 4500]);
    assert.equal(plan.leftOut, 25_500);
  });

  it('have one sample a label set, and one type a name', () => {
    const twice = reading(['a', 'n', 1, 1, 1, 1, null], ['a', 'n', 2, 2, 2, 2, null]);
    const columns: Column[] = [{ name: 'rate', type: 'number', unit: 'bits/s', metric: 'gauge' }];
    const gauge = { columns, rows: [[8]], time: 0 };
    const counter = {
      ...gauge,
      columns: [{ ...columns[0]!, name: 'sent', unit: 'bytes', metric: 'counter' as const }],
    };
    const { families } = planSensorFamilies([
      { sensor: 'x', reading: twice },
      { sensor: 'y', reading: gauge },
      { sensor: 'z', reading: counter },
    ]);
    assert.deepEqual(
      families.map(({ name, samples }) => [name, samples.length]),
      [
        ['slice_sensor_sent_bytes_total', 2],
        ['slice_sensor_rate_bytes_per_second', 2],
        ['slice_sensor_delay_seconds', 1],
      ],
    );
    assert.equal(families[0]!.samples[0]![1], 1);
  });

  it('are of sensors that are exported, and none of one that fails', async () => {
    const list = [
      info('good'),
      info('fails'),
      info('own', { exported: false }),
      info('stream', { type: 'Streaming' }),
      info('text', { columns: COLUMNS.slice(0, 1) }),
    ];
    assert.deepEqual(
      exportedOf(list).map(({ name }) => name),
      ['good', 'fails'],
    );
    const asked: string[] = [];
    const found = await readExported({
      list: () => list,
      read: async (name) => {
        asked.push(name);
        if (name === 'fails') throw new Error('no');
        return reading();
      },
    });
    assert.deepEqual(asked, ['good', 'fails']);
    assert.deepEqual(
      found.map(({ sensor }) => sensor),
      ['good'],
    );
  });
});
