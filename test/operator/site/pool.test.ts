import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { planPool, type Account, type Pool, type Want } from '../../../operator/site/pool.ts';
import { beyond, merged, Profile, type Piece } from '../../../operator/site/profile.ts';

const ALWAYS = { start: -Infinity, end: Infinity };
const always = (shares: number): Piece => ({ ...ALWAYS, shares });
const wants = (...shares: number[]): Want[] => shares.map((one) => ({ has: [], asks: always(one) }));
const account = (slice: string, age: string, held: number, asked: Want[] = []): Account => {
  return { slice: `lab/${slice}`, age, held: held > 0 ? [always(held)] : [], wants: asked };
};
const poolOf = (perNode: number, nodes: number, others: Account[]): Pool => {
  return { site: 'site mit', perNode, nodes, others, isWaiting: false };
};

describe("a site's pool", () => {
  it('is for all nodes together, and gives what fits, node by node', () => {
    const { fits, books } = planPool(poolOf(250, 2, []), account('web', '1', 0, wants(300, 300, 200)), 0);
    assert.deepEqual(fits, [true, false, true]);
    assert.match(books, /^asks 300 shares on each, site mit has a pool of 500 \(250 for each of 2 nodes\), /);
    assert.match(books, /lab\/web holds 500, 0 free$/, 'with what it is given now');
  });

  it('refuses with its books: who holds how much, and what is free', () => {
    const others = [account('db', '1', 100), account('old', '2', 300), account('idle', '3', 0)];
    const { fits, books } = planPool(poolOf(250, 2, others), account('web', '9', 50, wants(51)), 0);
    assert.deepEqual(fits, [false]);
    assert.equal(
      books,
      'asks 51 shares on each, site mit has a pool of 500 (250 for each of 2 nodes), ' +
        'lab/old holds 300, lab/db holds 100, lab/web holds 50, 50 free',
    );
    assert.deepEqual(planPool(poolOf(250, 2, others), account('web', '9', 50, wants(50)), 0), {
      fits: [true],
      books: '',
    });
  });

  it('gives to older slices first, and tells of it', () => {
    const older = account('older', '1', 0, wants(80));
    const younger = account('younger', '9', 0, wants(80));
    const plan = planPool(poolOf(100, 1, [older, younger]), account('web', '5', 0, wants(40)), 0);
    assert.deepEqual(plan.fits, [false]);
    assert.match(plan.books, /100 free, lab\/older asked before$/);
    assert.deepEqual(planPool(poolOf(100, 1, [younger]), account('web', '5', 0, wants(40)), 0).fits, [true]);
  });

  it('lets whoever does not fit keep nobody else waiting', () => {
    const older = account('older', '1', 0, wants(101));
    assert.deepEqual(planPool(poolOf(100, 1, [older]), account('web', '5', 0, wants(100)), 0).fits, [true]);
  });

  it('takes nothing from a younger slice that holds it', () => {
    const younger = account('younger', '9', 100);
    assert.deepEqual(planPool(poolOf(100, 1, [younger]), account('web', '1', 0, wants(1)), 0).fits, [false]);
  });

  it('that has shrunk refuses more, and lets go of nothing', () => {
    const own = { ...account('web', '1', 300), wants: [{ has: [always(300)], asks: always(200) }, ...wants(1)] };
    const { fits, books } = planPool(poolOf(100, 1, []), own, 0);
    assert.deepEqual(fits, [true, false], 'to ask for less is never refused');
    assert.match(books, /200 more than there are$/);
  });

  it('counts at each instant: what does not meet in time has the same shares', () => {
    const before = { ...account('before', '1', 0), held: [{ start: 0, end: 10, shares: 100 }] };
    const at = (start: number, end: number) => {
      const asked = [{ has: [], asks: { start, end, shares: 100 } }];
      return planPool(poolOf(100, 1, [before]), { ...account('web', '2', 0), wants: asked }, 0).fits[0];
    };
    assert.deepEqual([at(10, 20), at(9, 20), at(-5, 0)], [true, false, true]);
  });
});

const want: fc.Arbitrary<Want> = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 60 }))
  .map(([start, length, shares]) => ({ has: [], asks: { start, end: start + length, shares } }));

describe('what the slices of a site get', () => {
  it('does not depend on who is looked at first, and is never more than the pool', () => {
    const slices = fc.array(fc.array(want, { maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(slices, fc.infiniteStream(fc.nat()), fc.integer({ min: 0, max: 100 }), (all, random, size) => {
        const accounts = all.map((wanted, i) => account(`s${i}`, String(i), 0, wanted));
        /** Looks at each slice twice, in that order, as its plan would. */
        const settle = (order: readonly number[]) => {
          const books = new Map(accounts.map((one) => [one.slice, one]));
          for (const i of [...order, ...order]) {
            const own = books.get(`lab/s${i}`)!;
            const others = [...books.values()].filter((one) => one !== own);
            const { fits } = planPool(poolOf(size, 1, others), own, -1);
            const given = own.wants.filter((_, n) => fits[n]).map(({ asks }) => asks);
            const held = merged([...own.held, ...given]);
            books.set(own.slice, { ...own, held, wants: own.wants.filter((_, n) => !fits[n]) });
            const sum = new Profile([...books.values()].flatMap((one) => one.held)).most(-Infinity, Infinity);
            assert.ok(sum <= size, `${sum} of ${size}`);
          }
          return [...books.values()];
        };
        const byAge = accounts.map((_, i) => i);
        const shuffled = byAge.toSorted(() => (random.next().value % 2 === 0 ? 1 : -1));
        assert.deepEqual(settle(shuffled), settle(byAge));
      }),
      { numRuns: 2_000 },
    );
  });

  it('counts a renewal once, whatever it had', () => {
    fc.assert(
      fc.property(want, want, fc.integer({ min: 0, max: 100 }), ({ asks: has }, { asks }, size) => {
        const own = { ...account('web', '1', 0), held: [has], wants: [{ has: [has], asks }] };
        const { fits } = planPool(poolOf(size, 1, []), own, -1);
        const most = new Profile([has, ...beyond([has], asks)]).most(-Infinity, Infinity);
        if (fits[0]) assert.ok(most <= Math.max(size, has.shares));
        else assert.ok(most > size);
      }),
      { numRuns: 2_000 },
    );
  });
});
