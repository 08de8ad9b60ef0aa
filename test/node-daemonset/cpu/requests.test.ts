import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  type Conversion,
  detectConversion,
  requestsOfWeight,
  settleRequests,
  sharesOfRequest,
  weightOfShares,
} from '../../../node-daemonset/cpu/requests.ts';

const conversions: Conversion[] = ['linear', 'quadratic'];

describe('requests read back from weights', () => {
  it('converts as runc does, old and new', () => {
    assert.deepEqual(
      [2, 1024, 262144].map((shares) => weightOfShares(shares, 'linear')),
      [1, 39, 10000],
    );
    assert.deepEqual(
      [2, 1024, 262144].map((shares) => weightOfShares(shares, 'quadratic')),
      [1, 100, 10000],
    );
  });

  it('contains the request that made the weight', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 256_000 }), fc.constantFrom(...conversions), (milli, conversion) => {
        const { low, high } = requestsOfWeight(weightOfShares(sharesOfRequest(milli), conversion), conversion);
        assert.ok(
          low <= milli && (milli <= high || sharesOfRequest(milli) === 262_144),
          `${low} <= ${milli} <= ${high}`,
        );
      }),
    );
  });

  it('detects the conversion from the weight of all pods', () => {
    for (const conversion of conversions) {
      for (const milli of [1000, 2000, 3920, 16_000, 64_000]) {
        assert.equal(detectConversion(weightOfShares(sharesOfRequest(milli), conversion), milli), conversion);
      }
    }
  });

  it('settles ranges on their total, within each range', () => {
    const ranges = [
      { low: 0, high: 20 },
      { low: 30, high: 50 },
    ];
    assert.deepEqual(settleRequests(ranges, 50), [10, 40]);
    assert.deepEqual(settleRequests(ranges, 1000), [20, 50]);
    assert.deepEqual(settleRequests(ranges, 0), [0, 30]);
    assert.deepEqual(settleRequests([], 10), []);
  });
});
