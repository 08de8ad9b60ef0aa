/** Columns of sensors as Prometheus has them: base units, and no more series than it can be asked to keep. */
import type { Cell, Column, Reading } from '../../crds/reading.ts';
import { MAX_LABELS } from '../../crds/check-sensor.ts';
import { type Family, type Labels, labels } from '../../kube/exposition.ts';
import { inTurn, OF_SENSOR } from './room.ts';
import { cut } from '../../crds/text.ts';

/** Of a label's value. */
const MAX_TEXT = 64;
/** Of the lines around a family's samples, and of a sample's value. */
const OF_FAMILY = 64;
const OF_VALUE = 26;
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

export interface SensorFamilies {
  families: Family[];
  /** Samples for which there was no room. */
  leftOut: number;
}

/**
 * `slice_sensor_<column>_<unit>[_total]{sensor="...", <every text column>}`: one family for all sensors that have the same
 * column. A family's type and help are those of the first; a sensor that is of another type is left out. Rows with the
 * same labels as an earlier one are, too. Pure.
 */
export function planSensorFamilies(
  readings: readonly { sensor: string; reading: Reading }[],
  releaseNamespace?: string,
): SensorFamilies {
  const families = new Map<string, Family & { samples: (readonly [Labels, number])[] }>();
  let leftOut = 0;
  inTurn(readings, releaseNamespace, ({ sensor, reading: { columns, rows } }, room) => {
    const own = { ...OF_SENSOR };
    const fits = (samples: number, text: number): boolean =>
      [own, room].every((one) => one.samples >= samples && one.text >= text);
    const take = (samples: number, text: number): void => {
      for (const one of [own, room]) {
        one.samples -= samples;
        one.text -= text;
      }
    };
    const metrics = columns.flatMap((column, i) => (isMetric(column) ? [{ i, column, ...metricOf(column) }] : []));
    const textColumns = columns.flatMap(({ type, name }, i) =>
      type === 'string' ? [[labelName(name), i] as const] : [],
    );
    const texts = textColumns.slice(0, MAX_LABELS);
    const seen = new Set<Labels>();
    let isFull = false;
    for (const row of rows) {
      const values = metrics.filter(({ i }) => typeof row[i] === 'number');
      if (values.length === 0) continue;
      // no labels are made for what has no room in any case
      if (isFull) {
        leftOut += values.length;
        continue;
      }
      const set = labelsOf(row, sensor, texts);
      if (seen.has(set)) continue;
      seen.add(set);
      for (const { i, column, name, factor } of values) {
        const help = column.help ?? `Column ${column.name} of a sensor.`;
        const known = families.get(name);
        if (known && known.type !== column.metric) continue;
        const text = name.length + set.length + OF_VALUE + (known ? 0 : 2 * (name.length + help.length) + OF_FAMILY);
        if (!fits(1, text)) {
          leftOut++;
          isFull = true;
          continue;
        }
        take(1, text);
        const family = known ?? { name, type: column.metric!, help, samples: [] };
        families.set(name, family);
        family.samples.push([set, (row[i] as number) * factor]);
      }
    }
  });
  return { families: [...families.values()], leftOut };
}

/** Whether Prometheus gets it, where its sensor is exported. */
export function isMetric({ metric, type }: Column): boolean {
  return metric !== undefined && (type === 'integer' || type === 'number');
}

function labelsOf(row: readonly Cell[], sensor: string, texts: readonly (readonly [string, number])[]): Labels {
  const own = texts.map(([name, i]) => [name, cut(String(row[i] ?? ''), MAX_TEXT)] as const);
  return labels({ ...Object.fromEntries(own), sensor });
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
