import assert from 'node:assert/strict';
import type { Cell, Column } from '../../../crds/reading.ts';
import type { WatchdogSpec } from '../../../crds/types.ts';
import { look } from '../../../operator/watchdog/observe.ts';
import type { NodeReading } from '../../../operator/watchdog/readings.ts';
import { NO_TOTALS } from '../../../operator/watchdog/totals.ts';

const COLUMNS: readonly Column[] = [
  { name: 'namespace', type: 'string' },
  { name: 'slice', type: 'string' },
  { name: 'rate', type: 'number' },
];
const SPEC: WatchdogSpec = { read: { sensor: 'bandwidth', column: 'rate' }, above: 1, action: 'Suspend' };

function says(node: string, ...rows: Cell[][]): NodeReading {
  return { node, reading: { columns: COLUMNS, rows, time: 0 } };
}

function see(spec: Partial<WatchdogSpec>, ...answers: NodeReading[]) {
  return look({ ...SPEC, ...spec }, answers, NO_TOTALS, (_node, slice) => slice !== 'site/elsewhere', 1_000);
}

describe('a look at all nodes', () => {
  const n1 = says('n1', ['site', 'web', 3], ['site', 'web', 4], ['site', 'db', 1]);
  const n2 = says('n2', ['site', 'web', 10], ['lab', 'web', 5]);

  it('adds up by slice, or by namespace', () => {
    assert.deepEqual(Object.fromEntries(see({}, n1, n2).values), { 'site/web': 17, 'site/db': 1, 'lab/web': 5 });
    assert.deepEqual(Object.fromEntries(see({ of: 'Namespace' }, n1, n2).values), { site: 18, lab: 5 });
  });

  it('watches the namespaces that it is told to', () => {
    assert.deepEqual([...see({ namespaces: ['lab'] }, n1, n2).values.keys()], ['lab/web']);
  });

  it('takes no word about slices without a right there, and no numbers that are none', () => {
    const odd = says('n3', ['site', 'elsewhere', 9], ['site', 'a', -1], ['site', 'b', 'x'], ['site', 'c', null]);
    assert.deepEqual(see({}, odd, says('n4', ['site', 'd', Infinity], ['', '', 1])).values.size, 0);
  });

  it('reads one column with both names', () => {
    const columns = [COLUMNS[1]!, COLUMNS[2]!];
    const answer: NodeReading = { node: 'n1', reading: { columns, rows: [['site/web', 2]], time: 0 } };
    assert.deepEqual(Object.fromEntries(see({}, answer).values), { 'site/web': 2 });
  });

  it('says who was silent, sent a part, or made no sense', () => {
    const found = see(
      {},
      n1,
      { node: 'n2', error: 'failed: it answered 500' },
      { ...n2, cut: true },
      {
        node: 'n3',
        reading: { columns: [], rows: [], time: 0 },
      },
    );
    assert.equal(found.answered, 2);
    assert.deepEqual(found.silent, [
      'n2: failed: it answered 500',
      'n2: sent only a part',
      'n3: its answer has no column rate',
    ]);
  });
});
