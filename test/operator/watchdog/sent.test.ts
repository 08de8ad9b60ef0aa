import assert from 'node:assert/strict';
import type { SliceSum } from '../../../crds/flows.ts';
import type { WatchdogSpec } from '../../../crds/types.ts';
import { parseSums } from '../../../operator/audit/parse.ts';
import { look } from '../../../operator/watchdog/observe.ts';
import { bySensor } from '../../../operator/watchdog/readings.ts';
import { createSensorReadings } from '../../../operator/watchdog/sensors.ts';
import { createSentReadings, SENT } from '../../../operator/watchdog/sent.ts';
import { NO_TOTALS } from '../../../operator/watchdog/totals.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2030-01-01T10:59:50Z');

type Answers = Awaited<ReturnType<Parameters<typeof createSentReadings>[0]['askSums']>>;

const read = (answers: Answers) =>
  createSentReadings(
    { askSums: () => Promise.resolve(answers) },
    () => [],
    () => NOW,
  ).read(SENT, [], AbortSignal.timeout(1_000));

const sum = (slice: string, hour: number, bytes: number): SliceSum => ({
  since: new Date(hour * HOUR).toISOString(),
  namespace: 'site',
  slice,
  packets: 1,
  bytes,
});

describe('what slices sent, as a sensor', () => {
  it('is what each node says, slice by slice and hour by hour', async () => {
    const [one] = await read([{ node: 'n1', result: 'Answered', sums: [sum('web', 0, 10), sum('web', 1, 5)] }]);
    assert.deepEqual('reading' in one! && one.reading.rows, [
      ['site', 'web', '1970-01-01T00:00:00.000Z', 10, 1],
      ['site', 'web', '1970-01-01T01:00:00.000Z', 5, 1],
    ]);
  });

  it('says who is silent, and who sent a part', async () => {
    const answers = await read([
      { node: 'n1', result: 'NotPublished' },
      { node: 'n2', result: 'Failed', error: 'it answered 500' },
      { node: 'n3', result: 'Answered', sums: [], truncated: 'Rows' },
    ]);
    assert.deepEqual(answers.slice(0, 2), [
      { node: 'n1', error: 'publishes no page' },
      { node: 'n2', error: 'failed: it answered 500' },
    ]);
    assert.ok('cut' in answers[2]! && answers[2].cut);
  });

  it('takes no arguments', async () => {
    const readings = createSentReadings({ askSums: () => assert.fail() }, () => []);
    await assert.rejects(readings.read(SENT, ['web'], AbortSignal.timeout(1)), /takes no arguments/);
  });

  it('is counted over the hours, to the last byte of each, and not again when a node lost some of it', async () => {
    const spec: WatchdogSpec = {
      read: { sensor: SENT, column: 'bytes' },
      periodSeconds: 86_400,
      above: 1,
      action: 'Suspend',
    };
    let totals = NO_TOTALS;
    const course = [
      [sum('web', 0, 600)],
      [sum('web', 0, 700)],
      // the node manager came back without the last of it
      [sum('web', 0, 690)],
      [sum('web', 0, 705)],
      // of the old hour the last, of the new one the first
      [sum('web', 0, 710), sum('web', 1, 3)],
      [sum('web', 1, 4), sum('web', 2, 9)],
    ];
    for (const [i, sums] of course.entries()) {
      const answers = await read([{ node: 'n1', result: 'Answered', sums }]);
      totals = look(spec, answers, totals, () => true, NOW + i * 10_000).totals;
    }
    assert.equal(totals.sums.get('site/web'), 110 + 4 + 9);
  });

  it('is read as what anybody might have sent', () => {
    const good = { node: 'liar', sums: [{ ...sum('web', 0, 1), more: 1 }] };
    assert.deepEqual(parseSums(JSON.stringify(good)), { sums: [sum('web', 0, 1)] });
    for (const bad of [null, [], {}, { sums: {} }, { sums: [null] }, { sums: [{ ...sum('web', 0, 1), bytes: -1 }] }]) {
      assert.throws(() => parseSums(JSON.stringify(bad)), JSON.stringify(bad));
    }
    assert.throws(() => parseSums(`{"sums":[{"since":"","namespace":"a","slice":"b","packets":1,"bytes":1e999}]}`));
    assert.throws(() => parseSums(JSON.stringify({ sums: Array.from({ length: 10_001 }, () => sum('web', 0, 1)) })));
  });
});

describe('any other sensor', () => {
  it('is what each node says, by itself', async () => {
    const reading = { columns: [{ name: 'slice', type: 'string' } as const], rows: [['site/web']], time: 3 };
    const other = { columns: [{ name: 'slice', type: 'integer' } as const], rows: [[1]], time: 4 };
    const all = [
      { node: 'n1', result: 'Answered', reading },
      { node: 'n2', result: 'Answered', reading: other },
      { node: 'n3', result: 'Failed', error: 'it answered 404' },
      { node: 'n4', result: 'NotPublished' },
    ] as const;
    let asked: readonly string[] = [];
    const asker = {
      askEach(parts: readonly string[]) {
        asked = parts;
        return Promise.resolve([...all]);
      },
    };
    const readings = bySensor(
      { [SENT]: { read: () => assert.fail() } },
      createSensorReadings(asker, () => []),
    );
    const answers = await readings.read('bandwidth', ['site/web'], AbortSignal.timeout(1));
    assert.deepEqual(asked, ['bandwidth', 'site/web']);
    assert.deepEqual(answers, [
      { node: 'n1', reading },
      { node: 'n2', reading: other },
      { node: 'n3', error: 'failed: it answered 404' },
      { node: 'n4', error: 'publishes no sensors' },
    ]);
  });
});
