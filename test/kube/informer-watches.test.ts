/** Watches that end, break, lag or fall silent. */
import assert from 'node:assert/strict';
import { eventually, settle } from './eventually.ts';
import { status } from './fake-server.ts';
import { Followed } from './followed.ts';

describe('informer', () => {
  let world: Followed;

  beforeEach(async () => {
    world = await Followed.start();
  });
  afterEach(() => world.stop());

  it('goes on from where it was when the server ends a watch', async () => {
    world.follow();
    await world.watching();
    world.server.put('a');
    await world.same();
    for (const { response } of world.server.watches) response.end();
    await eventually('the watch to end', () => world.server.watches.size === 0);
    world.server.put('b');
    world.server.remove('a');
    await world.same();
    await world.catchesUp();
    assert.equal(world.server.count('LIST'), 1);
    assert.deepEqual(world.told.slice(0, 3), ['+ns/a', '+ns/b', '-ns/a']);
  });

  it('goes on when the connection is cut in the middle of a line', async () => {
    world.follow();
    await world.watching();
    for (const { response } of world.server.watches) {
      response.write('{"type":"ADDED","object":{"metadata":{"name":"ghost","names', () => response.destroy());
    }
    await eventually('the watch to end', () => world.server.watches.size === 0);
    await world.catchesUp();
    assert.equal(world.informer.store.get('ns/ghost'), undefined);
    assert.equal(world.server.count('LIST'), 1);
  });

  it('reads lines however they are cut, also within a character', async () => {
    world.follow();
    await world.watching();
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'ns', name: 'ü', uid: 'u', resourceVersion: '999' },
    };
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    for (const { response } of world.server.watches) {
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await settle(1);
      }
    }
    await eventually('the object', () => world.informer.store.get('ns/ü') !== undefined);
  });

  it('gives up a watch that is half open and silent', async () => {
    world.follow({ silenceMs: 200 });
    await world.watching();
    world.server.abandonWatches();
    await world.catchesUp();
  });

  it('gives up a watch that is never answered at all', async () => {
    world.server.fault('WATCH', () => undefined);
    world.follow({ silenceMs: 200 });
    await world.informer.whenSynced();
    await eventually('a watch that nobody answers', () => world.server.count('WATCH') === 1);
    await world.catchesUp();
  });

  it('lists anew when the stream says that its version is too old', async () => {
    world.follow();
    world.server.put('kept');
    world.server.put('gone');
    await world.watching();
    await world.same();
    const { response } = [...world.server.watches][0]!;
    world.server.watches.clear();
    world.server.remove('gone');
    world.server.put('new');
    world.server.forgetHistory();
    response.end();
    await world.same();
    assert.equal(world.server.count('LIST'), 2);
    assert.deepEqual(world.told.slice(-2).toSorted(), ['+ns/new', '-ns/gone']);
  });

  it('lists anew when the watch is refused as too old', async () => {
    world.server.refuse('WATCH', 410, 'Expired');
    world.follow();
    await eventually('a second list', () => world.server.count('LIST') === 2);
    await world.catchesUp();
  });

  it('starts from a bookmark, not from the last event', async () => {
    world.follow();
    await world.watching();
    const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '5000' } } };
    for (const { response } of world.server.watches) response.write(`${JSON.stringify(bookmark)}\n`);
    await settle();
    for (const { response } of world.server.watches) response.end();
    await eventually('a second watch', () => world.server.count('WATCH') === 2);
    assert.equal(world.server.seen.at(-1)?.query.get('resourceVersion'), '5000');
    assert.deepEqual(world.told, []);
  });

  it('takes an error in the stream that is not about its version for a break only', async () => {
    world.follow();
    await world.watching();
    const event = { type: 'ERROR', object: status(500, 'InternalError') };
    for (const { response } of world.server.watches) response.end(`${JSON.stringify(event)}\n`);
    await eventually('the watch to end', () => world.server.watches.size === 0);
    await world.catchesUp();
    assert.equal(world.server.count('LIST'), 1);
  });
});
