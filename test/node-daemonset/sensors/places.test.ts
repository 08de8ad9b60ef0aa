/** Whose streams take whose places. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { Places } from '../../../node-daemonset/sensors/places.ts';
import type { Stream } from '../../../node-daemonset/sensors/source.ts';
import { eventually } from '../../kube/eventually.ts';
import { STREAMS } from '../../../node-daemonset/sensors/server.ts';
import { createWorld, saying, sliverOf, type World } from './world.ts';

describe('places for streams', () => {
  it('are so many in all, and a part of them for one', () => {
    const places = new Places(3, 2);
    const [first, second] = [places.take('a'), places.take('a')];
    assert.ok(first && second && !places.take('a') && places.take('b') && !places.take('c'));
    first();
    first();
    assert.ok(places.take('c') && !places.take('a'));
  });
});

describe('streams', () => {
  let world: World;
  let following = 0;
  const silent: Stream = {
    follow() {
      following++;
      return () => following--;
    },
  };
  const held: Socket[] = [];
  const hold = (at: { port: number; host: string } | { path: string }, name: string): void => {
    const socket = connect(at).on('error', () => undefined);
    socket.resume().write(`GET /${name} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    held.push(socket);
  };

  before(async () => {
    world = await createWorld([saying('lab.one', () => []), saying('tenant.one', () => [])], {
      'lab.one': silent,
      'tenant.one': silent,
    });
  });
  after(async () => {
    for (const one of held) one.destroy();
    await world.close();
  });

  it('of one namespace leave places to others, and those by TCP to slivers', async () => {
    const sliver = sliverOf('probe');
    await world.serve([], [sliver]);
    const tcp = { port: world.server.port, host: '127.0.0.1' };
    const most = STREAMS.ofNamespace;
    for (let i = 0; i < most + 8; i++) hold(tcp, 'tenant.one');
    await eventually('as many to be followed as may be', () => following === most);
    assert.equal((await world.get('/tenant.one')).status, 503);
    hold(tcp, 'lab.one');
    await eventually('another namespace to be followed', () => following === most + 1);
    for (let i = 0; i < 12; i++) hold({ path: world.socketOf(sliver) }, 'tenant.one');
    await eventually('eight more by the socket of a sliver', () => following === most + 9);
    assert.equal((await world.get('/tenant.one', { socket: world.socketOf(sliver) })).status, 503);
  });
});
