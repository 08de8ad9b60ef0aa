import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { Budgets } from '../../../node-daemonset/budget/budgets.ts';
import { makeSliver } from '../desired.ts';

describe('the budgets of a node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'budget-'));
  const path = join(directory, 'budget.json');
  after(() => rmSync(directory, { recursive: true }));

  const policy = policyOf({ bytesPerDay: '1k' });
  const sliver = makeSliver('a', { egressLimit: 1e6 });
  let bytes = 0;
  let now = Date.UTC(2026, 10, 23, 12);
  const open = (): Budgets =>
    new Budgets({
      path,
      bootId: 'b',
      counters: () => new Map([['eth0', new Map([[0x101, { bytes }]])]]),
      now: () => now,
    });
  const limitOf = (budgets: Budgets): number | undefined => budgets.apply([sliver], policy).slivers[0]!.budgetLimit;

  it('survive a restart, and count what was sent meanwhile', () => {
    const first = open();
    bytes = 500;
    assert.equal(limitOf(first), undefined);
    first.save();
    bytes = 999;
    const second = open();
    assert.equal(limitOf(second), 5000);
  });

  it('are written seldom, and not at all where nothing changed', () => {
    const budgets = open();
    budgets.apply([sliver], policy);
    budgets.save(true);
    const { mtimeMs } = statSync(path);
    budgets.apply([sliver], policy);
    budgets.save(true);
    assert.equal(statSync(path).mtimeMs, mtimeMs);
    bytes += 10;
    budgets.apply([sliver], policy);
    budgets.save();
    assert.equal(statSync(path).mtimeMs, mtimeMs, 'too early');
    now += 10_000;
    budgets.save();
    assert.equal(limitOf(open()), 5000);
  });

  it('begin anew where the file makes no sense', () => {
    for (const text of ['', '{', '{"version":1,"day":1,"uses":{"a":{}}}', '{"version":99}', 'null']) {
      writeFileSync(path, text);
      bytes = 0;
      assert.equal(limitOf(open()), undefined, text);
    }
  });
});
