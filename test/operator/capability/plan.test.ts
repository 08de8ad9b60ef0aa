import assert from 'node:assert/strict';
import { planCapability } from '../../../operator/capability/plan.ts';
import { aPod, aRight, aSlice, at, denied, granted } from '../slice/objects.ts';

describe('a pod whose right is over', () => {
  const slice = aSlice();
  const right = granted(aRight(slice, 'n1'));
  const pod = aPod(slice, right);
  const why = (input: Partial<Parameters<typeof planCapability>[0]>) =>
    planCapability({ pod, capability: right, sliceIsThere: false, ...input })?.why;

  it('is deleted when the right is gone, or a namesake has taken its place', () => {
    assert.equal(why({ capability: undefined }), 'Released');
    const namesake = { ...right, metadata: { ...right.metadata, uid: 'another' } };
    assert.equal(why({ capability: namesake }), 'Released');
  });

  it('is deleted when the right expired and no Slice looks after it', () => {
    const expired = denied(right, 0, 0, 'Expired');
    assert.equal(why({ capability: expired }), 'Expired');
    assert.equal(why({ capability: expired, sliceIsThere: true }), undefined);
  });

  it('is left alone while the right holds, and where it goes anyway', () => {
    assert.equal(why({}), undefined);
    const ending = { ...right, metadata: { ...right.metadata, deletionTimestamp: at(0) } };
    assert.equal(why({ capability: ending }), undefined);
    const going = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: at(0) } };
    assert.equal(why({ pod: going, capability: undefined }), undefined);
  });

  it('is left alone when it is not ours', () => {
    const foreign = { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } };
    assert.equal(why({ pod: foreign, capability: undefined }), undefined);
  });
});
