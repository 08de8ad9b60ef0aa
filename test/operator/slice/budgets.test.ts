import assert from 'node:assert/strict';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { BudgetNews } from '../../../operator/slice/budgets.ts';

describe('news of budgets', () => {
  const slice = { metadata: { name: 's', namespace: 'site' } } as Slice;
  const capability = (reason: string, status: 'True' | 'False' = 'False'): ResourceCapability => {
    const lastTransitionTime = '2026-11-23T12:00:00Z';
    const conditions = [{ type: 'WithinBudget', status, reason, message: 'because', lastTransitionTime }];
    return {
      metadata: { name: 'c', uid: 'u' },
      spec: { nodeName: 'n1' },
      status: { conditions },
    } as unknown as ResourceCapability;
  };

  it('are told once each time that one begins to bite, or bites harder', () => {
    const told: string[] = [];
    const news = new BudgetNews({
      record: (_, type, reason, message) => void told.push(`${type} ${reason} ${message}`),
    });
    for (const reason of ['BudgetLow', 'BudgetLow', 'BudgetSpent']) news.look('k', slice, [capability(reason)]);
    news.look('k', slice, [capability('WithinBudget', 'True')]);
    news.look('k', slice, [capability('BudgetLow')]);
    news.look('k', slice, []);
    assert.deepEqual(told, [
      'Normal BudgetLow n1: because',
      'Warning BudgetSpent n1: because',
      'Normal BudgetLow n1: because',
    ]);
  });
});
