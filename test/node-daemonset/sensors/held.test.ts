/** What slivers may send, as the sensors say it. */
import assert from 'node:assert/strict';
import { Rates } from '../../../node-daemonset/sensors/builtin/rates.ts';
import { sliverSensors } from '../../../node-daemonset/sensors/builtin/slivers.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { sliverOf } from './world.ts';

describe('the sensors of slivers', () => {
  it('say what each may send now, and what holds it to less than it was granted', async () => {
    const held: Partial<Sliver>[] = [
      {},
      { restraintLimit: 1e6, budgetLimit: 2e6 },
      { budgetLimit: 2e6 },
      { standing: 'frozen' },
    ];
    const slivers = () => held.map((more) => sliverOf('probe', more));
    const none = () => new Map();
    const rates = { sent: new Rates(), cpu: new Rates() };
    const sources = sliverSensors({ slivers, classes: none, drops: none, usage: none, rates, now: Date.now });
    const limits = async (name: string): Promise<unknown[]> => {
      const source = sources.find(({ info }) => info.name === name)!;
      const { columns, rows } = await source.read([], { kind: 'node' }, new AbortController().signal);
      const [limit, by] = ['limit', 'held'].map((column) => columns.findIndex((one) => one.name === column));
      return rows.map((row) => [row[limit!], row[by!]]);
    };
    for (const name of ['bandwidth', 'slivers']) {
      assert.deepEqual(await limits(name), [
        [10e6, ''],
        [1e6, 'Restraint'],
        [2e6, 'Budget'],
        [64e3, 'Standing'],
      ]);
    }
  });
});
