import assert from 'node:assert/strict';
import { Expectations, type Seen } from '../../../operator/slice/expectations.ts';

const object = (uid: string, resourceVersion: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'site', uid, resourceVersion },
});
const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'site', name: 'web', uid: 'one' };
const seen = (uid: string, resourceVersion: string, deleting = false): Seen => ({ uid, resourceVersion, deleting });

describe('expectations', () => {
  let now = 0;
  let expectations: Expectations;
  beforeEach(() => {
    now = 0;
    expectations = new Expectations(() => now);
  });

  it('are met when the store shows what was written, or anything later', () => {
    expectations.written('slice', object('one', '1000'));
    assert.equal(
      expectations.met('slice', () => undefined),
      false,
    );
    assert.equal(
      expectations.met('slice', () => seen('one', '999')),
      false,
    );
    assert.equal(
      expectations.met('other', () => undefined),
      true,
    );
    assert.equal(
      expectations.met('slice', () => seen('one', '1000')),
      true,
    );
    expectations.written('slice', object('one', '1000'));
    assert.equal(
      expectations.met('slice', () => seen('two', '3')),
      true,
      'a later namesake',
    );
  });

  it('of a removal are met when the object is gone, ending, or another', () => {
    for (const [shown, met] of [
      [seen('one', '5'), false],
      [seen('one', '5', true), true],
      [seen('two', '6'), true],
      [undefined, true],
    ] as const) {
      expectations.forget('slice');
      expectations.removed('slice', ref);
      assert.equal(
        expectations.met('slice', () => shown),
        met,
      );
    }
  });

  it('are given up after a while, so that a lost event stops nothing for ever', () => {
    expectations.written('slice', object('one', '7'));
    now = 9_999;
    assert.equal(
      expectations.met('slice', () => undefined),
      false,
    );
    now = 10_000;
    assert.equal(
      expectations.met('slice', () => undefined),
      true,
    );
  });
});
