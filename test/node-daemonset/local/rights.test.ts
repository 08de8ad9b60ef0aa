import assert from 'node:assert/strict';
import { amounts } from '../../../crds/rspec.ts';
import { isDecided, tell } from '../../../node-daemonset/local/rights.ts';
import { makeSliver } from '../desired.ts';
import { granted, NOW, right, shares } from '../rights.ts';

describe('the rights that a sliver sees', () => {
  it('are found without a look at all of the node’s for each', () => {
    const whole = right('a', { ...shares(200), egress: { guarantee: '50M', limit: '50M' } });
    const parts = Array.from({ length: 50 }, (_, i) => right(`p${i}`, {}, { from: 'right-a' }));
    let looks = 0;
    const ledger = granted(whole, ...parts);
    const entries = ledger.entries.map(({ uid, ...entry }) => ({
      ...entry,
      get uid() {
        looks++;
        return uid;
      },
    }));
    const books = { rcaps: [whole, ...parts], ledger: { ...ledger, entries }, now: NOW };
    const sliver = makeSliver('pod', amounts({}), { slice: 'measure' });
    for (const one of books.rcaps) {
      assert.ok(isDecided(one, books));
      assert.equal(tell(one, sliver, books).state, 'Granted');
    }
    assert.deepEqual(tell(whole, sliver, books).left?.cpu, { shares: 150, excess: 'Share' });
    assert.ok(looks < 500, `${looks} looks`);
  });
});
