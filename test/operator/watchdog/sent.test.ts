import assert from 'node:assert/strict';
import type { ClusterAnswer, NodeAnswer } from '../../../crds/flows.ts';
import type { FlowQuery } from '../../../crds/flowquery.ts';
import { bySensor } from '../../../operator/watchdog/readings.ts';
import { createSensorReadings } from '../../../operator/watchdog/sensors.ts';
import { createSentReadings, SENT } from '../../../operator/watchdog/sent.ts';

const NOW = Date.parse('2030-01-01T10:59:59.500Z');

/** The readings of these answers, and what was asked. */
async function read(nodes: NodeAnswer[], flows: object[] = [], more: Partial<ClusterAnswer> = {}) {
  let asked: FlowQuery | undefined;
  const asker = {
    ask(query: FlowQuery) {
      asked = query;
      return Promise.resolve({ nodes, flows, ...more } as unknown as ClusterAnswer);
    },
    close: () => Promise.resolve(),
  };
  const answers = await createSentReadings(
    asker,
    () => [],
    () => NOW,
  ).read(SENT, [], AbortSignal.timeout(1_000));
  return { asked: asked!, answers };
}

describe('what slices sent, as a sensor', () => {
  const flow = (node: string, slice: string, bytes: number) => ({
    node,
    namespace: slice && 'site',
    slice,
    bytes,
    packets: 1,
  });

  it('is added up by node and slice from the full hour on, without what is nobody’s', async () => {
    const flows = [flow('n1', 'web', 10), flow('n1', 'web', 5), flow('n1', '', 99), flow('n2', 'web', 1)];
    const { asked, answers } = await read(
      [
        { node: 'n1', result: 'Answered' },
        { node: 'n2', result: 'Answered' },
      ],
      flows,
    );
    assert.deepEqual([asked.from, asked.to], [Date.parse('2030-01-01T10:00:00Z'), NOW + 1]);
    assert.deepEqual(
      answers.map((one) => 'reading' in one && one.reading.rows),
      [[['site', 'web', 15, 2]], [['site', 'web', 1, 1]]],
    );
  });

  it('says who is silent, and who sent a part', async () => {
    const { answers } = await read([
      { node: 'n1', result: 'NotPublished' },
      { node: 'n2', result: 'Failed', error: 'it answered 500' },
      { node: 'n3', result: 'Answered', truncated: 'Rows' },
    ]);
    assert.deepEqual(answers.slice(0, 2), [
      { node: 'n1', error: 'publishes no page' },
      { node: 'n2', error: 'failed: it answered 500' },
    ]);
    assert.ok('cut' in answers[2]! && answers[2].cut);
    const all = await read([{ node: 'n1', result: 'Answered' }], [], { truncated: 'Rows' });
    assert.ok('cut' in all.answers[0]! && all.answers[0].cut);
  });

  it('takes no arguments', async () => {
    const readings = createSentReadings({ ask: () => assert.fail(), close: () => Promise.resolve() }, () => []);
    await assert.rejects(readings.read(SENT, ['web'], AbortSignal.timeout(1)), /takes no arguments/);
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
