import assert from 'node:assert/strict';
import { planCapability, planEnd, planUnblock } from '../../../operator/capability/plan.ts';
import { refOf } from '../../../operator/kinds.ts';
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

describe('a released right that the garbage collector keeps', () => {
  const slice = aSlice();
  const right = granted(aRight(slice, 'n1'));
  const deleted = Date.parse(at(0));
  const ending = {
    ...right,
    metadata: { ...right.metadata, deletionTimestamp: at(0), finalizers: ['foregroundDeletion', 'example.org/other'] },
  };

  it('is freed once the collector has had its time, and keeps the finalizers of others', () => {
    assert.deepEqual(planUnblock(ending, [], deleted + 5_000), { after: 10_000 });
    assert.deepEqual(planUnblock(ending, [], deleted + 15_000), { finalizers: ['example.org/other'] });
  });

  it('is left alone while it has a pod, is not being deleted, waits for something else, or is not of a Slice', () => {
    const late = deleted + 60_000;
    assert.equal(planUnblock(ending, [aPod(slice, right)], late), undefined);
    assert.equal(planUnblock(right, [], late), undefined);
    assert.equal(planUnblock(undefined, [], late), undefined);
    const other = { ...ending, metadata: { ...ending.metadata, finalizers: ['example.org/other'] } };
    assert.equal(planUnblock(other, [], late), undefined);
    const free = { ...ending, metadata: { ...ending.metadata, ownerReferences: [] } };
    assert.equal(planUnblock(free, [], late), undefined);
  });
});

describe('a pod that is being deleted', () => {
  const slice = aSlice();
  const right = granted(aRight(slice, 'n1'));
  const ended = Date.parse(at(0));
  const withState = (state: object, deletionTimestamp: string | undefined = at(0)) => {
    const pod = aPod(slice, right);
    const containerStatuses = [{ name: 'sliver', ready: false, restartCount: 0, state }];
    return { ...pod, metadata: { ...pod.metadata, deletionTimestamp }, status: { ...pod.status, containerStatuses } };
  };
  const over = { terminated: { exitCode: 0, finishedAt: at(0) } };

  it('is taken away once its containers have ended and its kubelet has had its time', () => {
    const pod = withState(over);
    assert.deepEqual(planEnd(pod, ended + 400), { after: 600 });
    assert.deepEqual(planEnd(pod, ended + 1000), { remove: refOf(pod) });
  });

  it('waits no longer than that for a clock that is ahead', () => {
    assert.deepEqual(planEnd(withState(over), ended - 3_600_000), { after: 1000 });
  });

  it('is left alone while a container runs, before one was started, and when it only crashed', () => {
    const late = ended + 60_000;
    assert.equal(planEnd(withState({ running: {} }), late), undefined);
    assert.equal(planEnd({ ...withState(over), status: {} }, late), undefined);
    const { metadata, ...rest } = withState(over);
    const { deletionTimestamp: _, ...alive } = metadata;
    assert.equal(planEnd({ ...rest, metadata: alive }, late), undefined);
  });
});
