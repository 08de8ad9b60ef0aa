import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { addTotals, forgive, NO_TOTALS, type Totals } from '../../../operator/watchdog/totals.ts';

const PERIOD = 60_000;
const KEY = 'site/web';

function count(before: Totals, now: number, values: Record<string, number | undefined>, cut = false): Totals {
  const counted = Object.entries(values).map(([node, value]) => {
    return { node, values: new Map(value === undefined ? [] : [[KEY, value]]), cut };
  });
  return addTotals(before, counted, PERIOD, now);
}

const sum = ({ sums }: Totals): number => sums.get(KEY) ?? 0;

describe('what counters grew by in a period', () => {
  it('is added up over nodes, from the second reading on', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 500, n2: 7 });
    assert.equal(sum(totals), 0);
    totals = count(totals, 2_000, { n1: 510, n2: 10 });
    assert.equal(sum(totals), 13);
  });

  it('counts a counter that fell, and one that was not there, from 0', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 500, n2: undefined });
    totals = count(totals, 2_000, { n1: 4, n2: 5 });
    assert.equal(sum(totals), 9);
  });

  it('does not take for new what a node may only have left out', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: undefined }, true);
    totals = count(totals, 2_000, { n1: 5_000 });
    assert.equal(sum(totals), 0);
  });

  it('goes on over a silence, and not from one period into the next', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 0 });
    totals = count(totals, 2_000, {});
    totals = count(totals, 3_000, { n1: 30 });
    assert.equal(sum(totals), 30);
    totals = count(totals, PERIOD + 1_000, { n1: 90 });
    assert.deepEqual([totals.period, sum(totals)], [PERIOD, 0]);
    assert.equal(sum(count(totals, PERIOD + 2_000, { n1: 91 })), 1);
  });

  it('gives nobody a new period when a clock is set back, and forgives whom it is told to', () => {
    let totals = count(NO_TOTALS, PERIOD + 1_000, { n1: 0 });
    totals = count(totals, PERIOD + 2_000, { n1: 10 });
    totals = count(totals, PERIOD - 2_000, { n1: 10 });
    assert.deepEqual([totals.period, sum(totals)], [PERIOD, 10]);
    totals = forgive(count(totals, PERIOD + 3_000, { n1: 10 }), [KEY]);
    assert.equal(sum(count(totals, PERIOD + 4_000, { n1: 11 })), 1);
  });

  it('is never more than what was sent in the period, whatever is read when', () => {
    const step = fc.record({ ms: fc.integer({ min: 1, max: 40_000 }), sent: fc.nat(1_000), heard: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let [now, counter, sent, period] = [0, 0, 0, 0];
        let totals = NO_TOTALS;
        for (const step of steps) {
          now += step.ms;
          const began = now - (now % PERIOD);
          // everything of a step is sent at its end
          sent = (began === period ? sent : 0) + step.sent;
          period = began;
          counter += step.sent;
          totals = count(totals, now, step.heard ? { n1: counter } : {});
          assert.ok(sum(totals) <= sent, `${sum(totals)} of ${sent}`);
        }
      }),
    );
  });
});
