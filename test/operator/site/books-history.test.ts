/** Whatever slices, nodes and the operator do, no site has more than its pool. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { at } from '../slice/objects.ts';
import { shares, World } from './world.ts';

/** Shares of site mit, on all nodes. */
const POOL = 300;
/** `make nightly` has 100,000. */
const RUNS = Number(process.env['LEDGER_RUNS'] ?? 2000);

const KEYS = ['a/s1', 'a/s2', 'b/s3', 'b/s4'];
const key = fc.constantFrom(...KEYS);
const window = fc.constantFrom(
  undefined,
  { end: at(10_000) },
  { start: at(10_000) },
  { start: at(5_000), end: at(20_000) },
);
const spec = fc
  .tuple(fc.integer({ min: 1, max: 250 }), window, fc.integer({ min: 0, max: 3 }))
  .map(([each, when, count]) => ({ ...shares(each), window: when, placement: { count } }));
const honest = [
  fc.record({ do: fc.constant('make' as const), key, spec }),
  fc.record({ do: fc.constant('edit' as const), key, spec }),
  fc.record({ do: fc.constant('remove' as const), key }),
  fc.record({ do: fc.constant('plan' as const), key }),
  fc.record({ do: fc.constant('write' as const), key }),
  fc.record({ do: fc.constant('answer' as const), index: fc.nat(9), granted: fc.boolean() }),
  fc.constant({ do: 'wait' as const }),
  fc.constant({ do: 'restart' as const }),
];
const lie = fc.record({
  do: fc.constant('lie' as const),
  index: fc.nat(9),
  each: fc.constantFrom(1, 100, 1000),
  window,
  reason: fc.constantFrom('Granted' as const, 'ResizeDenied' as const),
  seen: fc.nat(1),
});
type Step = typeof lie extends fc.Arbitrary<infer L> ? L | HonestStep : never;
type HonestStep = (typeof honest)[number] extends fc.Arbitrary<infer S> ? S : never;

function take(world: World, one: Step): void {
  if (one.do === 'make' && !world.stores.slices.get(one.key))
    world.slice(...(one.key.split('/') as [string, string]), one.spec);
  else if (one.do === 'edit') world.edit(one.key, one.spec);
  else if (one.do === 'remove') world.remove(one.key);
  else if (one.do === 'plan') world.plan(one.key);
  else if (one.do === 'write') world.write(one.key);
  else if (one.do === 'answer') world.answer(one.index, one.granted);
  else if (one.do === 'lie') world.lie(one.index, one.each, one.window, one.reason, one.seen);
  else if (one.do === 'wait') world.clock += 5_000;
  else if (one.do === 'restart') {
    // a new leader knows what was written
    for (const each of KEYS) world.write(each);
    world.books = world.start();
  }
}

/** Checks after each step; in the end all give back. */
function run(steps: readonly Step[], check: (world: World, step: Step) => void): void {
  const world = new World();
  for (const one of steps) {
    take(world, one);
    check(world, one);
  }
  for (const each of KEYS) {
    world.write(each);
    world.remove(each);
    world.plan(each);
  }
  assert.equal(world.held(), 0);
}

const many = { minLength: 10, maxLength: 60, size: 'max' } as const;

describe('the books of sites', () => {
  it('never have more than the pool given away, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...honest), many), (steps) =>
        run(steps, (world, one) => {
          assert.ok(world.held() <= POOL, `${world.held()} of ${POOL} after ${JSON.stringify(one)}`);
        }),
      ),
      { numRuns: RUNS },
    );
  });

  it('count of no right more than it asked for, whatever a stolen node says', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...honest, lie), many), (steps) =>
        run(steps, (world, one) => {
          assert.deepEqual(world.beyondAsked(), [], `after ${JSON.stringify(one)}`);
          const held = world.held(['n2', 'n3']);
          assert.ok(held <= POOL, `${held} of ${POOL} after ${JSON.stringify(one)}`);
        }),
      ),
      { numRuns: RUNS },
    );
  });
});
