/** The rules between the fields of a Sensor. */
import { type Say, specBytes } from './check-schema.ts';
import type { SensorSpec } from './types.ts';

/** Of an exported Sensor: Prometheus keeps each combination of them. */
export const MAX_LABELS = 10;

/** All of a Sensor's spec, as JSON: each node may keep some dozens of each namespace. */
const MAX_SENSOR_BYTES = 16 * 1024;

/** Says what is wrong with a spec that its schema allows. */
export function checkSensor(spec: SensorSpec, say: Say): void {
  const size = specBytes(spec);
  if (size > MAX_SENSOR_BYTES) {
    say('', `has ${size} bytes as JSON, and may have ${MAX_SENSOR_BYTES}`);
    return;
  }
  const { slice, file, command, http, slices, access, type, format, columns, export: exported } = spec;
  if ([file, command, http].filter((source) => source !== undefined).length !== 1) {
    say('', 'give exactly one of file, command and http');
  }
  if ((slice === undefined) !== (file !== undefined)) {
    say('slice', 'command and http sensors need a slice, a file is of the node and of no slice');
  }
  if (slices && access !== 'Slices') say('slices', 'slices goes with access Slices');
  if (type === 'Streaming' && file) say('type', 'a file does not stream');
  if (type === 'Streaming' && (format === 'KeyValue' || format === 'Value')) {
    say('format', 'a stream has a row a line: CSV, JSON or Table');
  }
  if (format === 'Value' && columns.length > 1) say('columns', 'a single value has one column');
  // else what was read once would be answered up to 64 times
  if (new Set(columns.map(({ field, name }) => field ?? name)).size < columns.length) {
    say('columns', 'two columns are of one field of the source; give each its own');
  }
  if (exported && columns.filter((one) => one.type === 'string').length > MAX_LABELS) {
    say('columns', `of a sensor that is exported every text is a label: at most ${MAX_LABELS} columns may be strings`);
  }
  for (const { name, type: kind, metric } of columns) {
    if (metric && kind !== 'integer' && kind !== 'number') say(`columns[${name}].metric`, 'only numbers are metrics');
  }
}
