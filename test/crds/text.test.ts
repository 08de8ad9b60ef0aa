import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { setCondition } from '../../crds/conditions.ts';
import { cut, cutShort, NODE_OWNER, ownersWord, sayRestraint, sayWhoSuspends } from '../../crds/text.ts';
import { excerpt } from '../../operator/slice/plan/wording.ts';

describe('texts that others wrote', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '\u{1f600}', '\ud83d', '\ude00'), maxLength: 40 });

  it('are cut to what a server takes, whatever they are', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 5, max: 50 }), (whole, most) => {
        for (const one of [cut(whole, most), cutShort(whole, most), excerpt(whole, most + 10)]) {
          assert.ok(one.isWellFormed(), JSON.stringify(one));
          assert.ok(one.length <= most + 10);
        }
        assert.ok(cut(whole, most).length >= Math.min(whole.length, most - 1));
      }),
    );
  });

  it('lose no character that fits, and never half of one', () => {
    assert.equal(cut('ab\u{1f600}', 4), 'ab\u{1f600}');
    assert.equal(cut('ab\u{1f600}c', 3), 'ab');
    assert.equal(cut('a\ud83d', 2), 'a\ufffd');
    assert.equal(cutShort('abcdefgh', 7), 'abc ...');
  });

  it('are so in the message of a condition', () => {
    const condition = {
      type: 'Ready',
      status: 'False',
      reason: 'Suspended',
      message: `x${'\u{1f600}'.repeat(600)}`,
    } as const;
    assert.ok(setCondition([], condition, new Date(0))[0]!.message.isWellFormed());
  });
});

describe('who suspends a right', () => {
  const owner = `${NODE_OWNER} since 2030: too loud`;
  const restraint = sayRestraint('web');

  it('is the node’s owner where he is named, first or after a Restraint', () => {
    for (const before of [[], [restraint]]) assert.equal(ownersWord(sayWhoSuspends([...before, owner])), owner);
    assert.equal(ownersWord(sayWhoSuspends([restraint])), undefined);
  });

  it('is not the node’s owner because a holder of a right says so', () => {
    for (const reason of [owner, `x; by ${owner}`, `x\n${sayWhoSuspends([owner])}`]) {
      const holder = `the holder of right ours/whole: ${reason}`;
      for (const before of [[], [restraint]]) assert.equal(ownersWord(sayWhoSuspends([...before, holder])), undefined);
    }
  });
});
