import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { planBudgets, planLimit } from '../../../node-daemonset/budget/plan.ts';
import { DAY_MS, type Uses, useKey } from '../../../node-daemonset/budget/use.ts';
import { makeSliver } from '../desired.ts';

const DAY = 20_000 * DAY_MS;
const sliver = makeSliver('a', { egressGuarantee: 5_000, egressLimit: 10e6 });
const usesOf = (counted: number, exempt = 0): Uses => ({
  day: 20_000,
  boot: 'b',
  uses: { [useKey(sliver)]: { classId: 0x101, today: { counted, exempt }, seen: {} } },
});
const plan = (uses: Uses, spec: Parameters<typeof policyOf>[0], now = DAY + DAY_MS / 2) =>
  planBudgets([sliver], uses, policyOf(spec), now);

describe('the plan of budgets', () => {
  it('lets a sliver send what it has left in the time that is left, from 80 % on', () => {
    const before = plan(usesOf(0.79e9), { bytesPerDay: '1G' });
    assert.deepEqual([before.slivers[0]!.budgetLimit, before.verdicts[0]!.reason], [undefined, 'WithinBudget']);
    const { slivers, verdicts, wakeAt } = plan(usesOf(0.9e9), { bytesPerDay: '1G' });
    assert.equal(slivers[0]!.budgetLimit, Math.floor((0.1e9 * 8) / 43_200));
    assert.deepEqual([verdicts[0]!.reason, wakeAt], ['BudgetLow', DAY + DAY_MS]);
    assert.match(verdicts[0]!.message, /953\.67 MiB.*until \d{4}-\d\d-\d\dT00:00:00Z/);
  });

  it('leaves the guarantee to one that has spent it', () => {
    const { slivers, verdicts } = plan(usesOf(2e9), { bytesPerDay: '1G' });
    assert.deepEqual([slivers[0]!.budgetLimit, verdicts[0]!.reason], [5_000, 'BudgetSpent']);
  });

  it('never goes below the guarantee or above the limit, and lets nobody overspend by more than the guarantee', () => {
    const bytes = fc.integer({ min: 1, max: 1e12 });
    const rate = fc.integer({ min: 1000, max: 1e9 });
    fc.assert(
      fc.property(
        bytes,
        bytes,
        rate,
        rate,
        fc.option(rate, { nil: undefined }),
        fc.integer({ min: 1, max: DAY_MS }),
        (budget, used, guarantee, more, before, left) => {
          const most = guarantee + more;
          const now = DAY;
          const limit = planLimit({ budget, used, guarantee, most, before, now, dayEnd: now + left });
          if (limit === undefined) {
            const rate = (Math.max(budget - used, 0) * 8000) / Math.max(left, 1000);
            assert.ok(used < budget * 0.8 || rate >= most - 1);
            return;
          }
          assert.ok(used >= budget * 0.8 && limit < most);
          assert.ok(limit >= guarantee || limit === before);
          assert.ok(limit <= guarantee || (limit * left) / 8000 <= Math.max(budget - used, 0) * 1.001 || left < 1000);
        },
      ),
    );
  });

  it('spends a day as it says: a sliver that sends all it may ends at its budget, changing its limit seldom', () => {
    let [used, before, changes] = [0, undefined as number | undefined, 0];
    const [budget, guarantee, most] = [20e9, 5_000, 10e6];
    for (let now = DAY; now < DAY + DAY_MS; now += 60_000) {
      const limit = planLimit({ budget, used, guarantee, most, before, now, dayEnd: DAY + DAY_MS });
      if (limit !== before) changes++;
      before = limit;
      used += ((limit ?? most) * 60) / 8;
    }
    assert.ok(used <= budget * 1.001 && used > budget * 0.97, `${used} of ${budget}`);
    assert.ok(changes < 20, `${changes} changes`);
  });

  it('keeps a limit while it would hardly change: no write to the kernel', () => {
    const first = plan(usesOf(0.9e9), { bytesPerDay: '1G' });
    const uses = { ...first.uses };
    const again = planBudgets([sliver], uses, policyOf({ bytesPerDay: '1G' }), DAY + DAY_MS / 2 + 60_000);
    assert.equal(again.slivers[0]!.budgetLimit, first.slivers[0]!.budgetLimit);
    assert.equal(again.uses, uses);
  });

  it('has a budget of its own for exempt destinations, and another for some namespaces', () => {
    const exempt = { destinations: ['10.0.0.0/8'], bytesPerDay: '1G', limit: '5M' };
    const both = plan(usesOf(0, 0.95e9), { bytesPerDay: '1G', exempt });
    assert.deepEqual([both.slivers[0]!.budgetLimit, typeof both.slivers[0]!.exemptBudgetLimit], [undefined, 'number']);
    assert.match(both.verdicts[0]!.message, /to exempt destinations/);
    const other = plan(usesOf(2e9), { bytesPerDay: '1G', namespaces: [{ name: 'site', bytesPerDay: '10G' }] });
    assert.equal(other.verdicts[0]!.reason, 'WithinBudget');
    assert.deepEqual(plan(usesOf(1e15), {}).verdicts, [], 'no budget, no verdict');
  });
});
