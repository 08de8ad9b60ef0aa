import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { beyond, merged, pieceOf, Profile, type Piece } from '../../../operator/site/profile.ts';

const instant = fc.integer({ min: 0, max: 12 });
const edge = fc.oneof(instant, fc.constantFrom(-Infinity, Infinity));
const piece: fc.Arbitrary<Piece> = fc
  .tuple(edge, edge, fc.integer({ min: 1, max: 9 }))
  .map(([a, b, shares]) => ({ start: Math.min(a, b), end: Math.max(a, b), shares }));
const pieces = fc.array(piece, { maxLength: 8 });
/** Every instant at which something may be different. */
const INSTANTS = [-1, ...Array.from({ length: 14 }, (_, i) => i), 1e9].flatMap((at) => [at, at + 0.5]);

const isIn = ({ start, end }: Piece, at: number) => start <= at && at < end;
const sumAt = (all: readonly Piece[], at: number) =>
  all.filter((one) => isIn(one, at)).reduce((sum, { shares }) => sum + shares, 0);
const largestAt = (all: readonly Piece[], at: number) =>
  Math.max(0, ...all.filter((one) => isIn(one, at)).map(({ shares }) => shares));

describe('shares over time', () => {
  it('are the most at any instant, as one sums them up', () => {
    fc.assert(
      fc.property(pieces, piece, (all, { start, end }) => {
        const within = INSTANTS.filter((at) => isIn({ start, end, shares: 0 }, at));
        const most = new Profile(all).most(start, end);
        assert.equal(most, Math.max(0, ...within.map((at) => sumAt(all, at))));
        assert.equal(new Profile(merged(all)).most(start, end), most);
      }),
      { numRuns: 2_000 },
    );
  });

  it('that a right asks for beyond what it has are no more than that, at every instant', () => {
    fc.assert(
      fc.property(pieces, piece, (has, asks) => {
        const more = beyond(has, asks);
        for (const at of INSTANTS) {
          assert.equal(largestAt(has, at) + sumAt(more, at), Math.max(largestAt(has, at), largestAt([asks], at)));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('are for ever where there is no window', () => {
    assert.deepEqual(pieceOf(5, undefined), { start: -Infinity, end: Infinity, shares: 5 });
    assert.deepEqual(pieceOf(5, { end: '2030-01-01T00:00:00Z' }).end, Date.parse('2030-01-01T00:00:00Z'));
  });
});
