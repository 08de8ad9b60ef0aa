import assert from 'node:assert/strict';
import { amounts } from '../../../crds/rspec.ts';
import type { Rspec } from '../../../crds/types.ts';
import { isDecided, leavesEnough, tell } from '../../../node-daemonset/local/rights.ts';
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

  it('leave enough for the sliver itself, at every instant of what is split, or not', () => {
    const hours = (n: number) => new Date(NOW + n * 3_600_000).toISOString();
    const of = (count: number, more: Rspec = {}) => ({ ...shares(count), egress: { guarantee: '2k' }, ...more });
    const own = right('own', { cpu: { shares: 10 }, egress: { guarantee: '9k' }, memory: '64Mi', disk: '1Gi' });
    const least = { memory: '1Mi', disk: '1Mi' };
    const later = right('later', of(5, least), { from: 'right-own', window: { start: hours(5), end: hours(6) } });
    const leaves = (resources: Rspec, window?: { start?: string; end?: string }, other = later) => {
      const part = right('part', { ...least, ...resources }, { from: 'right-own', ...(window && { window }) });
      return leavesEnough(own, part, { rcaps: [own, other], ledger: granted(own, other), now: NOW });
    };
    const before = { end: hours(5) };
    assert.ok(leaves(of(9), before));
    assert.ok(!leaves(of(10), before), 'no share');
    assert.ok(leaves(of(9, { egress: { guarantee: '8k' } }), before));
    assert.ok(!leaves(of(9, { egress: { guarantee: '8100' } }), before), 'less than 1 kbit/s');
    assert.ok(!leaves(of(1, { memory: '64Mi' }), before), 'no memory');
    assert.ok(!leaves(of(1, { disk: '1Gi' }), before), 'no disk');
    assert.ok(!leaves(of(5)), 'too little as soon as the other part begins');
    assert.ok(leaves(of(4)) && leaves(of(5), { start: hours(6) }));
    const all = { cpu: { shares: 10 }, egress: { guarantee: '1k' }, ...least };
    assert.ok(leaves(of(1), {}, { ...later, spec: { ...later.spec, resources: all } }), 'then it has nothing anyhow');
    assert.ok(leaves(of(11), before) && leaves(of(6)), 'more than there is: its node says what is short');
    assert.ok(leaves(shares(-1)) && leaves(of(10), { end: hours(-1) }), 'its node says what is wrong with it');
  });
});
