/** Columns of sensors as Prometheus has them: base units, and no more series than it can be asked to keep. */
import type { Cell, Column, Reading } from '../../crds/reading.ts';
import { type Family, type Labels, labels } from '../../kube/exposition.ts';

/** Series of one sensor, and of all: what a sliver prints must not fill anybody's Prometheus. */
const MAX_SERIES = 1_000;
const MAX_ALL = 10_000;
/** Of a label's value. */
const MAX_TEXT = 256;
/** What a unit is called in Prometheus, and by what a number of it is multiplied. */
const UNITS: Readonly<Record<string, readonly [suffix: string, factor: number]>> = {
  'bits/s': ['bytes_per_second', 1 / 8],
  'bytes/s': ['bytes_per_second', 1],
  bits: ['bytes', 1 / 8],
  kB: ['bytes', 1e3],
  MB: ['bytes', 1e6],
  GB: ['bytes', 1e9],
  KiB: ['bytes', 2 ** 10],
  MiB: ['bytes', 2 ** 20],
  GiB: ['bytes', 2 ** 30],
  ns: ['seconds', 1e-9],
  us: ['seconds', 1e-6],
  ms: ['seconds', 1e-3],
  s: ['seconds', 1],
  minutes: ['seconds', 60],
  hours: ['seconds', 3_600],
  days: ['seconds', 86_400],
  Hz: ['hertz', 1],
  kHz: ['hertz', 1e3],
  MHz: ['hertz', 1e6],
  GHz: ['hertz', 1e9],
  '%': ['ratio', 1e-2],
};

/**
 * `slice_sensor_<column>_<unit>[_total]{sensor="...", <every text column>}`: one family for all sensors that have the same
 * column. A family's type and help are those of the first; a sensor that is of another type is left out. Rows with the
 * same labels as an earlier one are, too. Pure.
 */
export function planSensorFamilies(readings: readonly { sensor: string; reading: Reading }[]): Family[] {
  const families = new Map<string, Family & { samples: (readonly [Labels, number])[] }>();
  let all = 0;
  for (const { sensor, reading } of readings) {
    const { columns } = reading;
    const texts = columns.flatMap(({ type, name }, i) => (type === 'string' ? [[labelName(name), i] as const] : []));
    const rows = distinct(reading.rows, sensor, texts);
    let own = 0;
    for (const [i, column] of columns.entries()) {
      if (column.metric === undefined || (column.type !== 'integer' && column.type !== 'number')) continue;
      const { name, factor } = metricOf(column);
      const help = column.help ?? `Column ${column.name} of a sensor.`;
      const family = families.get(name) ?? { name, type: column.metric, help, samples: [] };
      if (family.type !== column.metric) continue;
      families.set(name, family);
      for (const [set, row] of rows) {
        const value = row[i];
        if (typeof value !== 'number' || own >= MAX_SERIES || all >= MAX_ALL) continue;
        family.samples.push([set, value * factor]);
        own++;
        all++;
      }
    }
  }
  return [...families.values()];
}

function distinct(
  rows: Reading['rows'],
  sensor: string,
  texts: readonly (readonly [string, number])[],
): Map<Labels, readonly Cell[]> {
  const found = new Map<Labels, readonly Cell[]>();
  for (const row of rows.slice(0, MAX_SERIES)) {
    const own = texts.map(([name, i]) => [name, String(row[i] ?? '').slice(0, MAX_TEXT)] as const);
    const set = labels({ ...Object.fromEntries(own), sensor });
    if (!found.has(set)) found.set(set, row);
  }
  return found;
}

/** Those that a scrape gives stay its own. */
function labelName(column: string): string {
  const name = column.toLowerCase().replace(/^(?=\d)/, '_');
  return ['sensor', 'job', 'instance', 'node'].includes(name) || name.startsWith('__') ? `column_${name}` : name;
}

function metricOf({ name, unit = '', metric }: Column): { name: string; factor: number } {
  const [suffix, factor] = UNITS[unit] ?? [
    unit
      .toLowerCase()
      .replace(/\/s$/, '_per_second')
      .replaceAll(/[^a-z0-9]+/g, '_'),
    1,
  ];
  // names of histograms' own series are kept for them
  const base = name
    .toLowerCase()
    .replace(/_total$/, '')
    .replace(/_(count|sum|bucket)$/, '$&_value');
  const ends = suffix === '' || base === suffix || base.endsWith(`_${suffix}`);
  return { name: `slice_sensor_${base}${ends ? '' : `_${suffix}`}${metric === 'counter' ? '_total' : ''}`, factor };
}
