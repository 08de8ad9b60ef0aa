import assert from 'node:assert/strict';
import { Acquiring } from '../../../operator/brokers/default/acquiring.ts';

describe('what the default broker has under way', () => {
  it('keeps a slice from its end while it is written, and until the stores show it', async () => {
    const unseen = new Set<string>();
    const acquiring = new Acquiring((slice) => unseen.has(slice));
    const written = Promise.withResolvers<void>();
    assert.equal(acquiring.has('site/web'), false);
    const work = acquiring.during('site/web', () => written.promise);
    assert.deepEqual([acquiring.has('site/web'), acquiring.has('site/other')], [true, false]);
    unseen.add('site/web');
    written.resolve();
    await work;
    assert.equal(acquiring.has('site/web'), true);
    unseen.delete('site/web');
    assert.equal(acquiring.has('site/web'), false);
  });

  it('keeps it no longer where a write failed', async () => {
    const acquiring = new Acquiring(() => false);
    await assert.rejects(acquiring.during('site/web', () => Promise.reject(new Error('no answer'))));
    assert.equal(acquiring.has('site/web'), false);
  });
});
