/** Times of a queue: that nobody has any of another’s, and how they are told. */
import assert from 'node:assert/strict';
import { at } from '../slice/objects.ts';
import type { QueueWorld } from './queue-objects.ts';

/** No two slices have any of the same time on a node, asked for or granted. */
export function checkApart(world: QueueWorld): void {
  const wholes = [...world.rights.values()].filter(({ spec }) => !spec.from && !spec.redeem);
  for (const own of Map.groupBy(wholes, ({ spec }) => spec.nodeName).values()) {
    const spans = own.flatMap(({ metadata, spec, status }) =>
      [spec.window, status?.granted?.window].flatMap((window) => {
        const of = metadata.labels!['slice-operator.io/queued']!;
        return window ? [{ of, start: Date.parse(window.start!), end: Date.parse(window.end!) }] : [];
      }),
    );
    for (const a of spans) {
      for (const b of spans) {
        assert.ok(
          a.of === b.of || a.end <= b.start || b.end <= a.start,
          `${a.of} and ${b.of}: ${JSON.stringify([a, b])}`,
        );
      }
    }
  }
}

/** So many ms after NOW, as messages have it. */
export function time(ms: number): string {
  return at(ms).replace('.000Z', 'Z');
}
