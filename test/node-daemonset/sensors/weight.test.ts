/** What a reading may become, and what is kept of all. */
import assert from 'node:assert/strict';
import type { SensorColumn } from '../../../crds/types.ts';
import { builtin } from '../../../node-daemonset/sensors/builtin/builtin.ts';
import { History } from '../../../node-daemonset/sensors/broadcast.ts';
import { parseText } from '../../../node-daemonset/sensors/parse.ts';
import { Agents } from '../../../node-daemonset/sensors/agents.ts';
import { Catalogue } from '../../../node-daemonset/sensors/catalogue.ts';
import { contents, contentsPage } from '../../../node-daemonset/sensors/contents.ts';
import { SensorRegistry } from '../../../node-daemonset/sensors/readings.ts';
import type { Source } from '../../../node-daemonset/sensors/source.ts';
import { MAX_WEIGHT, weightOf } from '../../../node-daemonset/sensors/weight.ts';
import { sensorOf, sliverOf } from './world.ts';

const signal = new AbortController().signal;

describe('the weight of readings', () => {
  it('is what JSON makes of it, and bounded however short the source is', () => {
    assert.equal(weightOf([['\x01', 5, null]]), 8 + 8 + 8 + 8 + 1 + 8 + 4);
    const columns: SensorColumn[] = [{ name: 'x', type: 'string' }];
    const shape = { columns, heading: false, format: 'CSV' } as const;
    const many = (cell: string, rows: number): string => `x\r\n${`"${cell}"\r\n`.repeat(rows)}`;
    // six characters each as JSON
    assert.throws(() => parseText(many('\x01'.repeat(4_000), 50), shape), {
      word: 'TooLarge',
    });
    assert.equal(parseText(many('x'.repeat(4_000), 50), shape).length, 50);
    // one field in many columns
    const wide = Array.from({ length: 64 }, (_, i): SensorColumn => ({
      name: `c${i}`,
      field: 'x',
      type: 'string',
    }));
    assert.throws(() => parseText(many('x'.repeat(1_000), 100), { ...shape, columns: wide }), { word: 'TooLarge' });
  });

  it('bounds a history', () => {
    const history = new History([{ name: 'x', type: 'string' }], 1_000);
    for (let time = 1; time <= 100; time++) history.add({ columns: [], rows: [['x'.repeat(10_000)]], time });
    const { rows, time } = history.read(0)!;
    assert.deepEqual([rows.length, time], [26, 100]);
  });

  it('is made once where the same is asked for again', async () => {
    const history = new History([{ name: 'x', type: 'string' }], 2);
    history.add({ columns: [], rows: [['a']], time: 1 });
    const before = history.read(0);
    assert.equal(history.read(5), before);
    history.add({ columns: [], rows: [['b']], time: 2 });
    assert.deepEqual([history.read(0)!.rows.length, before!.rows.length], [2, 1]);
    const catalogue = new Catalogue({
      ...{ nodeName: 'n', releaseNamespace: 'r', agents: new Agents() },
      now: Date.now,
    });
    const registry = new SensorRegistry({ sources: () => catalogue.sources() });
    const page = (): unknown => contentsPage('n', registry.list());
    const sensors = [sensorOf('one', { slice: 'probe', command: { argv: ['x'] } })];
    const slivers = [sliverOf('probe')];
    catalogue.update(sensors, slivers);
    const [first, table] = [page(), contents(registry.list(), 0)];
    catalogue.update(structuredClone(sensors), slivers);
    assert.deepEqual([page() === first, contents(registry.list(), 9) === table], [true, true]);
    const [one] = sensors;
    catalogue.update([{ ...one!, spec: { ...one!.spec, cacheSeconds: 9 } }], slivers);
    assert.ok(page() !== first);
    catalogue.close();
  });

  it('bounds what is kept of all sensors together: the oldest are read again', async () => {
    const text = 'x'.repeat(2 ** 20 - 64);
    const read: string[] = [];
    const named = (name: string): Source =>
      builtin(
        {
          name,
          description: '',
          columns: [{ name: 'x', type: 'string' }],
          cacheMs: 86_400_000,
          rows() {
            read.push(name);
            return [{ x: text }];
          },
        },
        Date.now,
      );
    const names = Array.from({ length: 17 }, (_, i) => `s${i}`);
    const sources = new Map(names.map((name) => [name, named(name)]));
    const registry = new SensorRegistry({ sources: () => sources });
    const ask = (name: string) => registry.read(name, [], { kind: 'public' }, signal);
    for (const name of names) assert.ok(weightOf((await ask(name)).rows) <= MAX_WEIGHT);
    await ask('s16');
    await ask('s0');
    assert.deepEqual(read.slice(names.length), ['s0']);
  });
});
