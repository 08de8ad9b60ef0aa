import assert from 'node:assert/strict';
import type { ClusterAnswer, NodeAnswer } from '../../../crds/flows.ts';
import type { FlowQuery } from '../../../crds/flowquery.ts';
import { createFlowReadings, FLOWS } from '../../../operator/watchdog/flows.ts';

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
  const answers = await createFlowReadings(
    asker,
    () => [],
    () => NOW,
  ).read(FLOWS, [], AbortSignal.timeout(1_000));
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

  it('is the only one there is', async () => {
    const readings = createFlowReadings({ ask: () => assert.fail(), close: () => Promise.resolve() }, () => []);
    await assert.rejects(readings.read('load', [], AbortSignal.timeout(1)), /no sensor load .*; there is flows/);
  });
});
