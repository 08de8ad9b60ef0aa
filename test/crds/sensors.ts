/** Good and bad Sensors, and Watchdogs, which read them: the same ones are judged by the TypeScript rules and by real API servers. */
import { API_VERSION } from '../../crds/names.ts';
import type { Sensor, SensorSpec, Watchdog } from '../../crds/types.ts';

export function sensor(spec: Partial<SensorSpec> = {}): Sensor {
  const columns: SensorSpec['columns'] = [{ name: 'value', type: 'number' }];
  return {
    apiVersion: API_VERSION,
    kind: 'Sensor',
    metadata: { name: 'measure', namespace: 'default' },
    spec: { columns, ...spec },
  };
}

export function goodSensors(): [string, Sensor][] {
  return [
    ['a file', sensor({ file: { path: '/proc/sys/net/ipv4/ip_forward' }, format: 'Value' })],
    ['a command', sensor({ slice: 'probe', command: { argv: ['date'] }, type: 'Streaming' })],
    ['a page', sensor({ slice: 'probe', http: { port: 8080 }, access: 'Slices', slices: ['a/b.c'] })],
  ];
}

export function badSensors(): [string, Sensor][] {
  const command = { slice: 'probe', command: { argv: ['date'] } };
  const file = { file: { path: '/proc/stat' } };
  const columns: SensorSpec['columns'] = [{ name: 'value', type: 'string' }];
  return [
    ['no source', sensor()],
    ['two sources', sensor({ ...command, http: { port: 80 } })],
    ['a command and no slice', sensor({ command: command.command })],
    ['a file and a slice', sensor({ ...file, slice: 'probe' })],
    ['readers of what is public', sensor({ ...command, slices: ['a/b'] })],
    ['a file that streams', sensor({ ...file, type: 'Streaming' })],
    ['a stream of keys', sensor({ ...command, type: 'Streaming', format: 'KeyValue' })],
    [
      'a value of two columns',
      sensor({ ...file, format: 'Value', columns: [...columns, { name: 'b', type: 'time' }] }),
    ],
    [
      'more than 8192 characters',
      sensor({ ...command, command: { argv: Array.from({ length: 20 }, () => 'x'.repeat(1000)) } }),
    ],
    [
      'two columns of one field',
      sensor({ ...file, columns: [...columns, { name: 'b', field: 'value', type: 'number' }] }),
    ],
    [
      'eleven labels',
      sensor({
        ...file,
        export: true,
        columns: Array.from({ length: 11 }, (_, i) => ({ name: `c${i}`, type: 'string' as const })),
      }),
    ],
    ['a text as a metric', sensor({ ...file, columns: [{ name: 'value', type: 'string', metric: 'gauge' }] })],
    ['a file of somebody', sensor({ file: { path: '/etc/shadow' } })],
    ['a file that goes up', sensor({ file: { path: '/proc/../etc/shadow' } })],
    ['no argument', sensor({ slice: 'probe', command: { argv: [] } })],
    ['a column that is no name', sensor({ ...file, columns: [{ name: 'a b', type: 'string' }] })],
    ['a column twice', sensor({ ...file, columns: [...columns, ...columns] })],
    ['no columns', sensor({ ...file, columns: [] })],
    ['a page elsewhere', sensor({ slice: 'probe', http: { port: 80, path: 'http://other/' } })],
  ];
}

export function watchdog(spec: Partial<Watchdog['spec']> = {}): Watchdog {
  const terms = { read: { sensor: 'bandwidth', column: 'bytes' }, above: '1G', action: 'Suspend', ...spec } as const;
  return { apiVersion: API_VERSION, kind: 'Watchdog', metadata: { name: 'daily' }, spec: terms };
}

export function badWatchdogs(): [string, Watchdog][] {
  return [
    ['a throttle without a limit', watchdog({ action: 'Throttle' })],
    ['a limit and no throttle', watchdog({ egressLimit: '1M' })],
    ['a lift above its limit', watchdog({ lift: { below: '2G' } })],
    ['a limit below nothing', watchdog({ above: -1 })],
    ['an action nobody knows', watchdog({ action: 'Scold' as 'Suspend' })],
    ['a period of a second', watchdog({ periodSeconds: 1 })],
    ['a period in which it would hardly read', watchdog({ periodSeconds: 59 })],
    ['a period in which it is told to read but five times', watchdog({ periodSeconds: 300, everySeconds: 60 })],
    ['no namespaces at all', watchdog({ namespaces: [] })],
  ];
}
