import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../crds/rspec.ts';
import { type Books, type Grant, peak, stretches } from '../../../node-daemonset/admission/ledger.ts';
import { Timeline } from '../../../node-daemonset/admission/timeline.ts';

const instant = fc.integer({ min: 0, max: 20 });
const period = fc
  .record({ start: fc.option(instant, { nil: undefined }), hours: fc.option(fc.integer({ min: 1, max: 8 })) })
  .map(({ start, hours }) => ({ start, end: hours === null ? undefined : (start ?? 0) + hours }));
const grant = fc
  .record({ shares: fc.integer({ min: 1, max: 5 }), memory: fc.nat(3), ports: fc.nat(2), period })
  .map(({ shares, memory, ports, period: time }): Grant => ({
    generation: 1,
    amounts: amounts({
      cpu: { shares },
      memory,
      egress: { guarantee: '1M', limit: '2M' },
      ports: Array.from({ length: ports }, (_, i) => ({ protocol: 'TCP', port: 5001 + i })),
    }),
    period: time,
    contact: 'ops@example.org',
    sliceName: undefined,
    time: 0,
  }));
const histories = fc.array(fc.record({ grant, isRemoved: fc.boolean() }), { maxLength: 12 });

/** By looking at every stretch. */
function slowly(grants: readonly Grant[], kind: keyof Books, wanted: number, limit: number, of: Grant['period']) {
  const parts = stretches(grants, of);
  const from = parts.findIndex(({ sums }) => sums[kind] + wanted > limit);
  if (from < 0) return undefined;
  const after = parts.findIndex(({ sums }, i) => i > from && sums[kind] + wanted <= limit);
  const run = parts.slice(from, after < 0 ? undefined : after);
  return { start: run[0]!.start, end: run.at(-1)!.end, most: Math.max(...run.map(({ sums }) => sums[kind])) };
}

describe('the sums of what is granted over time', () => {
  it('are those of the grants that are left, however they came and went', () => {
    fc.assert(
      fc.property(histories, period, (history, asked) => {
        const timeline = new Timeline(history.filter((_, i) => i % 2 === 0).map((one) => one.grant));
        for (const [i, one] of history.entries()) if (i % 2 === 1) timeline.add(one.grant);
        for (const one of history) if (one.isRemoved) timeline.remove(one.grant);
        const left = history.filter(({ isRemoved }) => !isRemoved).map((one) => one.grant);
        assert.deepEqual(timeline.peak(asked), peak(left, asked));
        for (const [kind, wanted, limit] of [
          ['shares', 3, 9],
          ['memory', 1, 4],
          ['pods', 0, 2],
        ] as const) {
          assert.deepEqual(timeline.firstTight(asked, kind, wanted, limit), slowly(left, kind, wanted, limit, asked));
        }
        // ports like memory of as many bytes
        const alike = left.map((one) => ({ ...one, amounts: { ...one.amounts, memory: one.amounts.ports.length } }));
        assert.deepEqual(timeline.firstTight(asked, 'ports', 1, 3), slowly(alike, 'memory', 1, 3, asked));
      }),
      { numRuns: 2000 },
    );
  });

  it('say what is left now where more is asked than there is', () => {
    const timeline = new Timeline();
    assert.deepEqual(timeline.firstTight({ start: 5, end: 9 }, 'shares', 11, 10), {
      start: 5,
      end: undefined,
      most: 0,
    });
  });

  it('cannot lose what they never had', () => {
    const [one] = fc.sample(grant, { numRuns: 1, seed: 1 });
    assert.throws(() => new Timeline().remove(one!), /not in them/);
  });
});
