/** Who does not take his answers keeps no more of the node's memory than there is for all. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { eventually } from '../../kube/eventually.ts';
import { createWorld, saying, type World } from './world.ts';

describe('answers that wait to be taken', () => {
  let world: World;
  const text = 'x'.repeat(2 ** 24);
  before(async () => {
    const columns = [{ name: 'text', type: 'string' }] as const;
    world = await createWorld([saying('large', () => [{ text }], { columns }), saying('small', () => [{ value: 1 }])]);
  });
  after(() => world.close());

  it('are bounded together, and small ones are given all the same', async () => {
    const held = Array.from({ length: 2 }, () => {
      const socket = connect(world.server.port, '127.0.0.1').on('error', () => undefined);
      socket.pause().write('GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n');
      return socket;
    });
    await eventually('no more to be given', async () => (await world.get('/large', { method: 'HEAD' })).status === 503);
    assert.equal((await world.get('/small')).status, 200);
    for (const one of held) one.destroy();
    await eventually(
      'it to be given again',
      async () => (await world.get('/large', { method: 'HEAD' })).status === 200,
    );
  });
});
