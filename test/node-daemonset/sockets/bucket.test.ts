import assert from 'node:assert/strict';
import { Bucket } from '../../../node-daemonset/sockets/bucket.ts';

describe('a token bucket', () => {
  it('gives its burst at once, then so many a second', () => {
    const bucket = new Bucket(10, 3, 0);
    assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 0]);
    assert.deepEqual([bucket.take(0), bucket.take(0)], [100, 200]);
  });

  it('makes up for what was taken in advance, and never holds more than its burst', () => {
    const bucket = new Bucket(10, 2, 0);
    for (let i = 0; i < 4; i++) bucket.take(0);
    assert.equal(bucket.take(300), 0);
    assert.equal(bucket.take(300), 100);
    for (const wait of [0, 0, 100]) assert.equal(bucket.take(1e9), wait);
  });

  it('makes nobody wait for longer than a burst takes', () => {
    const bucket = new Bucket(10, 5, 0);
    for (let i = 0; i < 1000; i++) assert.ok(bucket.take(0) <= 500);
    assert.equal(bucket.take(600), 0);
  });

  it('takes no harm from a clock that goes back', () => {
    const bucket = new Bucket(10, 1, 1000);
    assert.equal(bucket.take(1000), 0);
    assert.equal(bucket.take(0), 100);
  });
});
