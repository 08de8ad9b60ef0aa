/** However many ask, no namespace keeps another from its part of the places. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { planPlace } from '../../../node-daemonset/local/places.ts';

const PLACES = 16;
interface One {
  id: number;
  namespace: string;
}

/** What waits after all have asked, in their order, and nobody was answered. */
function waiting(namespaces: readonly string[]): One[] {
  let pending: One[] = [];
  for (const [id, namespace] of namespaces.entries()) {
    const place = planPlace(pending, namespace, PLACES);
    if (place.kind === 'none') continue;
    pending = [...pending.filter((one) => place.kind === 'free' || one !== place.of), { id, namespace }];
  }
  return pending;
}

const count = (pending: readonly One[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(pending, ({ namespace }) => namespace)].map(([name, own]) => [name, own.length]));

describe('places for requests to the operator', () => {
  it('are for whoever comes, as long as there are some', () => {
    assert.deepEqual(count(waiting(Array(40).fill('a'))), { a: 16 });
  });

  it('are given up by whoever has most, the newest first', () => {
    const pending = waiting([...Array<string>(16).fill('a'), 'b']);
    assert.deepEqual(
      pending.map(({ id }) => id),
      [...Array(15).keys(), 16],
    );
  });

  it('come to equal parts, whoever came first', () => {
    const namespaces = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), {
      minLength: 0,
      maxLength: 200,
      size: 'max',
    });
    fc.assert(
      fc.property(namespaces, (asked) => {
        const has = count(waiting(asked));
        const all = count(asked.map((namespace, id) => ({ id, namespace })));
        assert.equal(sum(has), Math.min(PLACES, asked.length));
        const most = Math.max(0, ...Object.values(has));
        for (const [namespace, wanted] of Object.entries(all)) {
          const own = has[namespace] ?? 0;
          assert.ok(own === wanted || own >= most - 1, `${namespace} has ${own} of ${JSON.stringify(has)}`);
        }
      }),
    );
  });

  it('are not given up for somebody who would then have more', () => {
    const each = Array.from({ length: PLACES }, (_, i) => `n${i}`);
    assert.deepEqual(count(waiting([...each, 'late'])), count(waiting(each)));
  });
});

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, one) => total + one, 0);
}
