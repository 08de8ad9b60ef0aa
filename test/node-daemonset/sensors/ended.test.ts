/** Pods that end: what they had sent is told for a while, so that no sum misses it. */
import assert from 'node:assert/strict';
import type { ClassCounters } from '../../../node-daemonset/egress/tc.ts';
import { EndedSlivers } from '../../../node-daemonset/sensors/builtin/ended.ts';
import { Rates } from '../../../node-daemonset/sensors/builtin/rates.ts';
import { sliverSensors } from '../../../node-daemonset/sensors/builtin/slivers.ts';
import { sliverOf } from './world.ts';

const classes = (bytes: number): Map<number, ClassCounters> =>
  new Map([
    [0x101, { bytes, packets: 2, drops: 0, backlog: 0 }],
    [0x8101, { bytes: 1, packets: 1, drops: 0, backlog: 0 }],
  ]);

describe('slivers that ended', () => {
  const web = sliverOf('web');

  it('are told with what their classes had counted last, for ten minutes', () => {
    const ended = new EndedSlivers();
    ended.update([web], classes(5), 0);
    assert.deepEqual(ended.list(0), []);
    ended.update([], classes(900), 1_000);
    const [one] = ended.list(1_000);
    assert.deepEqual([one!.slice, one!.pod, one!.bytes, one!.packets], ['web', web.id, 901, 3]);
    assert.equal(ended.list(600_999).length, 1);
    assert.deepEqual(ended.list(601_000), []);
  });

  it('are no longer told where they are back, where no class was, and where they are too many', () => {
    const ended = new EndedSlivers();
    ended.update([web], classes(5), 0);
    ended.update([], classes(900), 1);
    ended.update([web], classes(900), 2);
    assert.deepEqual(ended.list(2), []);
    ended.update([], new Map(), 3);
    assert.deepEqual(ended.list(3), []);
    const many = Array.from({ length: 1_500 }, (_, i) => ({ ...web, id: `p${i}` }));
    ended.update(many, classes(1), 4);
    ended.update([], classes(1), 5);
    assert.deepEqual([ended.list(5).length, ended.list(5)[0]!.pod], [1_000, 'p500']);
  });

  it('are rows of bandwidth behind those that are, also where it is asked for a slice', async () => {
    const ended = new EndedSlivers();
    ended.update([web], classes(5), 0);
    ended.update([], classes(900), 1);
    const sources = sliverSensors({
      slivers: () => [sliverOf('probe')],
      classes: () => classes(7),
      drops: () => new Map(),
      usage: () => new Map(),
      ended: () => ended.list(1),
      rates: { sent: new Rates(), cpu: new Rates() },
      now: () => 0,
    });
    const bandwidth = sources.find(({ info }) => info.name === 'bandwidth')!;
    const told = async (...args: string[]) => {
      const { columns, rows } = await bandwidth.read(args, { kind: 'public' }, AbortSignal.timeout(1_000));
      const [slice, bytes] = ['slice', 'bytes'].map((name) => columns.findIndex((column) => column.name === name));
      return rows.map((row) => [row[slice!], row[bytes!]]);
    };
    assert.deepEqual(await told(), [
      ['probe', 8],
      ['web', 901],
    ]);
    assert.deepEqual(await told('web'), [['web', 901]]);
    await assert.rejects(told('nobody'), { reason: 'NotFound' });
  });
});
