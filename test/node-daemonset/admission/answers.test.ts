import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { admit, right, shares } from '../rights.ts';
import { checkBooks } from './books.ts';
import { act, BOOKS, BUDGET, EMPTY_WORLD, seen, SPEC, steps } from './world.ts';

const asked = (namespace: string, count: number) =>
  Array.from({ length: count }, (_, i) => right(`${namespace}-${1000 + i}`, shares(30), {}, { namespace }));

describe('the answers of a pass', () => {
  it('are no more than so many, and the rest comes in the passes after it', () => {
    const rcaps = asked('team', 70);
    let ledger: Ledger = EMPTY_LEDGER;
    const given: number[] = [];
    for (let more = true; more;) {
      const pass = admit(ledger, rcaps, { answers: 30 });
      ({ ledger, more } = pass);
      given.push(pass.decisions.length);
    }
    assert.deepEqual(given, [30, 30, 10]);
    assert.deepEqual(ledger, admit(EMPTY_LEDGER, rcaps).ledger, 'as if there had been one pass: the oldest first');
  });

  it('are shared by all who ask: none waits for another to have all of its', () => {
    const rcaps = [...asked('a', 70), ...asked('b', 70), ...asked('c', 1)];
    const { decisions, more } = admit(EMPTY_LEDGER, rcaps, { answers: 30 });
    const of = (namespace: string) => decisions.filter((one) => one.namespace === namespace).length;
    assert.deepEqual([of('a'), of('b'), of('c'), more], [10, 10, 1, true]);
    const many = Array.from({ length: 50 }, (_, i) => asked(`n${i}`, 2)).flat();
    const oldest = admit(EMPTY_LEDGER, many, { answers: 30 }).decisions;
    assert.equal(new Set(oldest.map(({ namespace }) => namespace)).size, 30);
  });

  it('never say too much, and leave no question, whatever is asked', () => {
    const seenMore = { times: 0 };
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (sequence, answers) => {
        let world = EMPTY_WORLD;
        for (const [index, step] of sequence.entries()) {
          world = act(world, step, index);
          if (index % 5 > 0 && index + 1 < sequence.length) continue;
          const { node, now } = world;
          for (let more = true, passes = 0; more; passes++) {
            assert.ok(passes < 50, 'it never ends');
            const pass = admit(world.ledger, seen(world), { spec: SPEC, node, now, answers });
            ({ more } = pass);
            if (more) seenMore.times++;
            world = { ...world, ledger: pass.ledger };
            checkBooks(world.ledger, BOOKS, BUDGET, now);
          }
          assert.deepEqual(admit(world.ledger, seen(world), { spec: SPEC, node, now }).decisions, []);
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(seenMore.times > 0);
  });
});
