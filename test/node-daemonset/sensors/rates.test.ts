/** How fast slivers are said to send: the same for whoever asks, and whenever. */
import assert from 'node:assert/strict';
import { Rates, startRates } from '../../../node-daemonset/sensors/builtin/rates.ts';
import { sliverSensors } from '../../../node-daemonset/sensors/builtin/slivers.ts';
import { SensorRegistry } from '../../../node-daemonset/sensors/readings.ts';
import type { Asker } from '../../../node-daemonset/sensors/registry.ts';
import { sliverOf } from './world.ts';

const signal = new AbortController().signal;

describe('rates', () => {
  it('are of the last window, of what was there all the time', () => {
    const rates = new Rates();
    const sample = (at: number, values: Record<string, number>): void =>
      rates.sample(new Map(Object.entries(values)), at);
    assert.equal(rates.of('a'), null);
    sample(0, { a: 0 });
    assert.equal(rates.of('a'), null);
    sample(5_000, { a: 5_000, b: 10 });
    assert.equal(rates.of('a'), 1_000);
    sample(10_000, { a: 5_000, b: 20 });
    assert.deepEqual([rates.of('a'), rates.of('b'), rates.of('c')], [500, 2, null]);
    sample(15_000, { a: 5_000, b: 5 });
    assert.deepEqual([rates.of('a'), rates.of('b')], [0, null]);
  });

  it('are not made small by a slice that asks for them and is quiet for a moment', async () => {
    let [clock, bytes] = [1_000_000, 0];
    const sliver = sliverOf('flood');
    const classes = () => new Map([[sliver.classId, { bytes, packets: 0, drops: 0, backlog: 0 }]]);
    const parts = { slivers: () => [sliver], classes, now: () => clock, clock: () => clock };
    const sampled = startRates({ ...parts, cpuTimes: () => new Map() });
    sampled.close();
    const { rates } = sampled;
    const sources = sliverSensors({ ...parts, rates, drops: () => new Map(), usage: () => new Map() });
    const registry = new SensorRegistry({
      sources: () => new Map(sources.map((source) => [source.info.name, source])),
      clock: () => clock,
    });
    const rateOf = async (args: string[], asker: Asker): Promise<unknown> => {
      const { columns, rows } = await registry.read('bandwidth', args, asker, signal);
      return rows[0]![columns.findIndex(({ name }) => name === 'rate')];
    };
    const tenant: Asker = { kind: 'sliver', slice: 'observatory/flood' };
    const seen: unknown[] = [];
    let [sent, askAt, isQuiet] = [0, clock, false];
    for (let ms = 10; ms <= 120_000; ms += 10) {
      clock += 10;
      if (!isQuiet) bytes += 1_250_000;
      sent = bytes;
      if (ms % 5_000 === 0) sampled.sample();
      if (clock >= askAt + 5_010 && !isQuiet) {
        await rateOf(['flood'], tenant);
        [isQuiet, askAt] = [true, clock];
      } else if (isQuiet && clock >= askAt + 40) {
        await rateOf([], tenant);
        isQuiet = false;
      }
      if (ms % 10_000 === 3_330 && ms > 20_000) seen.push(await rateOf([], { kind: 'public' }));
    }
    const mean = (sent * 8) / 120;
    assert.equal(seen.length, 10);
    for (const rate of seen) assert.ok((rate as number) > 0.95 * mean && (rate as number) < 1.05 * mean, String(rate));
  });
});
