/** What `/` shows: every sensor of the node, as a table for programs and as a page for people. */
import type { Column, Reading } from '../../crds/reading.ts';
import type { SensorInfo } from './registry.ts';

const COLUMNS: readonly Column[] = [
  { name: 'sensor', type: 'string', help: 'The first part of its address.' },
  { name: 'arguments', type: 'string', help: 'What may follow.' },
  { name: 'type', type: 'string', help: 'Snapshot or Streaming.' },
  { name: 'origin', type: 'string', help: 'Builtin, or what a Sensor reads.' },
  { name: 'access', type: 'string', help: 'Whom it answers: Public, Restricted, or Own: each slice about itself.' },
  { name: 'cache', type: 'number', unit: 'seconds', help: 'For so long all get the same answer.' },
  { name: 'columns', type: 'string' },
  { name: 'description', type: 'string' },
];

const tables = new WeakMap<readonly SensorInfo[], Reading>();
const pages = new WeakMap<readonly SensorInfo[], Buffer>();

/** Made once for each list: whoever asks often costs no more than who asks once. */
export function contents(sensors: readonly SensorInfo[], now: number): Reading {
  const known = tables.get(sensors) ?? tableOf(sensors, now);
  tables.set(sensors, known);
  return known;
}

/** HTML, made once for each list. Nothing on it is loaded from elsewhere, and nothing runs. */
export function contentsPage(node: string, sensors: readonly SensorInfo[]): Buffer {
  const known = pages.get(sensors) ?? Buffer.from(pageOf(node, sensors));
  pages.set(sensors, known);
  return known;
}

function tableOf(sensors: readonly SensorInfo[], now: number): Reading {
  const rows = sensors.map((one) => [
    one.name,
    one.arguments ?? '',
    one.type,
    one.origin,
    one.access,
    one.cacheMs / 1000,
    one.columns.map(({ name }) => name).join(' '),
    one.description,
  ]);
  return { columns: COLUMNS, rows, time: now };
}

function pageOf(node: string, sensors: readonly SensorInfo[]): string {
  const group = (title: string, own: readonly SensorInfo[]): string =>
    own.length === 0 ? '' : `<h2>${title}</h2>\n<dl>\n${own.map(entry).join('\n')}\n</dl>\n`;
  const isBuiltin = ({ origin }: SensorInfo): boolean => origin === 'Builtin';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sensors of ${escape(node)}</title><style>${STYLE}</style></head><body>
<h1>Sensors of <b>${escape(node)}</b></h1>
<p>Each is a table: CSV, or JSON with <code>.json</code> at its end.
<code>curl http://localhost:33080/load</code></p>
${group('Of the node', sensors.filter(isBuiltin))}${group(
    'Of users',
    sensors.filter((one) => !isBuiltin(one)),
  )}</body></html>
`;
}

function entry(one: SensorInfo): string {
  const address = `/${encodeURIComponent(one.name)}`;
  const args = one.arguments === undefined ? '' : `<span>/${escape(one.arguments)}</span>`;
  const link = one.access === 'Public' ? `<a href="${address}">${escape(address)}</a>` : escape(address);
  const marks = [
    ...(one.type === 'Streaming' ? ['goes on'] : []),
    ...(one.access === 'Public' ? [] : ['over a sliver’s socket only']),
  ];
  const mark = marks.map((text) => ` <em>${text}</em>`).join('');
  const names = one.columns.map((column) => {
    const unit = column.unit ? ` ${column.unit}` : '';
    // users' own words would make it large: each sensor's answer as JSON has them
    const help = one.origin === 'Builtin' && column.help ? `. ${column.help}` : '';
    return `<code title="${escape(`${column.type}${unit}${help}`)}">${escape(column.name)}</code>`;
  });
  return `<dt>${link}${args}${mark}</dt><dd>${escape(one.description)}<br>${names.join(' ')}</dd>`;
}

const STYLE = `
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-weight:400}h2{margin:2rem 0 .5rem;font-size:1.1rem}
dl{margin:0}dt{font:1rem ui-monospace,monospace;margin-top:.9rem}dt span{opacity:.6}
dt em{font:.75rem system-ui,sans-serif;border:1px solid;border-radius:1rem;padding:0 .5rem;opacity:.7}
dd{margin:.1rem 0 0 1.5rem}code{font:.8rem ui-monospace,monospace;opacity:.75}
`;

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}
