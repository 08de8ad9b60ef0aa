/** The worked examples of docs/queries.md give what they promise, over tables such as the operator answers with. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { clusterReadingCsv, planClusterReading, type NodeReading } from '../crds/clusterreading.ts';
import type { Cell, Reading } from '../crds/reading.ts';
import { machineSensors } from '../node-daemonset/sensors/builtin/machine.ts';
import { sliverSensors } from '../node-daemonset/sensors/builtin/slivers.ts';
import { topologySensors } from '../node-daemonset/sensors/builtin/topology.ts';
import type { Source } from '../node-daemonset/sensors/source.ts';

const text = readFileSync(new URL('../docs/queries.md', import.meta.url), 'utf8');
const queries = [...text.matchAll(/```sql\n([^]*?)```/g)].map(([, sql]) => sql!);

/** Their columns are asked for, and nothing is read. */
const sources: Source[] = [
  ...machineSensors({ disks: [], now: () => 0 }),
  ...sliverSensors({} as Parameters<typeof sliverSensors>[0]),
  ...topologySensors({} as Parameters<typeof topologySensors>[0]),
];

function reading(sensor: string, ...rows: Record<string, Cell>[]): Reading {
  const { columns } = sources.find(({ info }) => info.name === sensor)!.info;
  for (const name of rows.flatMap((row) => Object.keys(row))) {
    assert.ok(
      columns.some((column) => column.name === name),
      `${sensor} has no ${name}`,
    );
  }
  return { columns, rows: rows.map((row) => columns.map(({ name }) => row[name] ?? null)), time: 0 };
}

/** As sqlite imports CSV: every column is text. */
function load(database: DatabaseSync, sensor: string, answers: { node: string; reading: Reading }[]): void {
  const { reading: all, nodes } = planClusterReading(answers, 1000, 0);
  const missing: NodeReading = { node: 'node9', result: 'NotPublished' };
  const [head, ...lines] = clusterReadingCsv({ ...all, nodes: [...nodes, missing] })
    .trimEnd()
    .split('\r\n');
  const names = head!.split(',').map((name) => `"${name}"`);
  database.exec(`CREATE TABLE ${sensor} (${names.map((name) => `${name} TEXT`).join()})`);
  const insert = database.prepare(`INSERT INTO ${sensor} VALUES (${names.map(() => '?').join()})`);
  for (const line of lines) insert.run(...line.split(','));
}

describe('docs/queries.md', () => {
  const database = new DatabaseSync(':memory:');
  const ask = (about: RegExp): Record<string, unknown>[] => {
    const found = queries.filter((sql) => about.test(sql));
    assert.equal(found.length, 1, String(about));
    return database
      .prepare(found[0]!)
      .all()
      .map((row) => ({ ...row }));
  };

  before(() => {
    const way = (destination: string, mean: number | null): Record<string, Cell> =>
      mean === null ? { destination } : { destination, mean, max: mean * 2, sent: 3, received: 3 };
    load(database, 'load', [
      { node: 'node1', reading: reading('load', { load1: 0.5 }) },
      { node: 'node2', reading: reading('load', { load1: 7 }) },
      { node: 'node3', reading: reading('load', { load1: 1 }) },
    ]);
    const slice = { namespace: 'site', guarantee: 20e6 };
    load(database, 'bandwidth', [
      {
        node: 'node1',
        reading: reading(
          'bandwidth',
          { ...slice, slice: 'web', rate: 10e6, backlog: 1514, bytes: 1e9 },
          { ...slice, slice: 'idle', rate: 0, backlog: 0, bytes: 0 },
        ),
      },
      { node: 'node2', reading: reading('bandwidth', { ...slice, slice: 'web', rate: 30e6, backlog: 9, bytes: 2e9 }) },
    ]);
    load(database, 'topology', [
      { node: 'node1', reading: reading('topology', way('node2', 100), way('node3', 10)) },
      { node: 'node2', reading: reading('topology', way('node1', 100), way('node3', null)) },
      { node: 'node3', reading: reading('topology', way('node1', 10), way('node2', 20)) },
    ]);
  });
  after(() => database.close());

  it('finds who gets less than it was promised', () => {
    const [row, ...others] = ask(/promised_mbit/);
    assert.deepEqual(others, []);
    assert.deepEqual(
      { ...row },
      { node: 'node1', namespace: 'site', slice: 'web', load1: '0.5', promised_mbit: 20, got_mbit: 10 },
    );
  });

  it('adds up over all nodes', () => {
    const [web, idle, ...others] = ask(/gigabytes/);
    assert.deepEqual(others, []);
    assert.deepEqual(web, { namespace: 'site', slice: 'web', nodes: 2, gigabytes: 3, mbit: 40 });
    assert.deepEqual(idle, { namespace: 'site', slice: 'idle', nodes: 1, gigabytes: 0, mbit: 0 });
  });

  it('finds idle nodes that are near', () => {
    assert.deepEqual(ask(/LIMIT 5/), [
      { node: 'node3', ms: 15, worst: 40 },
      { node: 'node1', ms: 55, worst: 200 },
    ]);
  });

  it('finds detours', () => {
    assert.deepEqual(ask(/detour_ms/), [{ from: 'node1', to: 'node2', via: 'node3', direct_ms: 100, detour_ms: 30 }]);
  });

  it('tells what is missing', () => assert.deepEqual(ask(/<> ''/), [{ node: 'node9', error: 'NotPublished' }]));

  it('has no other example', () => assert.equal(queries.length, 5));
});
