import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import {
  digestIn,
  digestOf,
  ownDigestIn,
  planValue,
  type Secret,
  secretOf,
} from '../../../operator/capability/value.ts';
import { aRight, aSlice, at, granted } from '../slice/objects.ts';

const VALUE = '0123456789abcdef0123456789abcdef';

describe('the value of a right', () => {
  const right = granted(aRight(aSlice(), 'n1'));
  const asking = (spec: Partial<ResourceCapability['spec']>, status = {}): ResourceCapability => ({
    ...right,
    spec: { ...right.spec, ...spec },
    status: { ...right.status, ...status },
  });

  it('is made when it is asked for, once, and for a right that is granted', () => {
    assert.equal(planValue(right).make, undefined);
    const wanted = asking({ valueSecret: 'gift' });
    assert.equal(planValue(wanted).make, 'gift');
    assert.equal(planValue({ ...wanted, status: {} }).make, undefined);
    const deleting = { ...wanted, metadata: { ...wanted.metadata, deletionTimestamp: at(0) } };
    assert.equal(planValue(deleting).make, undefined);
    const status = { valueSecret: 'gift', valueDigest: digestOf(VALUE) };
    const plan = planValue(asking({ valueSecret: 'gift' }, status));
    assert.deepEqual([plan.make, plan.stale], [undefined, false]);
    assert.deepEqual(plan.keep, status);
  });

  it('is made anew under another name, and forgotten without one', () => {
    const status = { valueSecret: 'gift', valueDigest: digestOf(VALUE) };
    const other = planValue(asking({ valueSecret: 'other' }, status));
    assert.deepEqual(
      [other.make, other.stale, other.keep],
      [undefined, true, { valueSince: right.metadata.generation }],
    );
    const next = planValue(asking({ valueSecret: 'other' }, other.keep));
    assert.deepEqual([next.make, next.stale, next.keep], ['other', false, other.keep]);
    const none = planValue(asking({}, status));
    assert.deepEqual([none.make, none.stale, none.keep], [undefined, true, { valueSince: right.metadata.generation }]);
  });

  it('outlives edits that leave its name', () => {
    const status = { valueSecret: 'gift', valueDigest: digestOf(VALUE) };
    const earlier = asking({ valueSecret: 'gift' }, status);
    const { metadata } = earlier;
    const later = { ...earlier, metadata: { ...metadata, generation: (metadata.generation ?? 0) + 2 } };
    const plan = planValue(later);
    assert.deepEqual([plan.make, plan.stale, plan.keep], [undefined, false, status]);
    // also where its digest was not written yet
    assert.equal(ownDigestIn(secretOf(earlier, 'gift', VALUE), later, {}), digestOf(VALUE));
  });

  it('is read once for each edit of who shows it', () => {
    const taker = asking({ redeem: 'gift' });
    assert.equal(planValue(taker).read, 'gift');
    const { generation } = taker.metadata;
    const shown = { redeemDigest: digestOf(VALUE), redeemGeneration: generation };
    assert.equal(planValue(asking({ redeem: 'gift' }, shown)).read, undefined);
    assert.equal(planValue(asking({ redeem: 'gift' }, { ...shown, redeemGeneration: generation! - 1 })).read, 'gift');
  });

  it('is in a Secret that goes with the right and that nobody changes', () => {
    const secret = secretOf(right, 'gift', VALUE);
    assert.equal(secret.immutable, true);
    assert.equal(secret.metadata.ownerReferences![0]!.uid, right.metadata.uid);
    assert.equal(ownDigestIn(secret, right, {}), digestOf(VALUE));
    const namesake = { ...right, metadata: { ...right.metadata, uid: 'another' } };
    assert.equal(ownDigestIn(secret, namesake, {}), undefined);
  });

  it('that was taken back is not good again when one is asked for under the same name', () => {
    const secret = secretOf(right, 'gift', VALUE);
    const at = (after: number, more: Partial<ResourceCapability['status']> = {}) => {
      const rcap = asking(after === 1 ? {} : { valueSecret: 'gift' }, more);
      return { ...rcap, metadata: { ...rcap.metadata, generation: right.metadata.generation! + after } };
    };
    const withdrawn = planValue(at(1, { valueSecret: 'gift', valueDigest: digestOf(VALUE) })).keep;
    const again = at(2, withdrawn);
    const { make, keep } = planValue(again);
    assert.deepEqual([make, keep], ['gift', withdrawn]);
    assert.equal(ownDigestIn(secret, again, keep), undefined);
    assert.equal(
      ownDigestIn(secretOf(again, 'gift', VALUE), at(4, withdrawn), keep),
      digestOf(VALUE),
      'a later one is',
    );
    assert.equal(ownDigestIn(secretOf(at(9), 'gift', VALUE), again, keep), undefined, 'of a time to come');
  });

  it('is believed of a Secret of its type alone, and of nothing else is a digest told', () => {
    const secret = secretOf(right, 'gift', VALUE);
    assert.equal(digestIn(secret), digestOf(VALUE));
    const others: (Secret | undefined)[] = [
      undefined,
      { ...secret, type: 'Opaque' },
      { ...secret, data: {} },
      { ...secret, data: { value: Buffer.from('hunter2').toString('base64') } },
    ];
    for (const other of others) assert.equal(digestIn(other), undefined);
  });
});
