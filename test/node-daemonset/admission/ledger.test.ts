/** What must hold for every sequence of asking, editing, deleting and waiting. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { portKey } from '../../../crds/rspec.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import {
  EMPTY_LEDGER,
  grantsOf,
  holdsAt,
  type Ledger,
  nextEdge,
  stretches,
  sumsAt,
} from '../../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { admit, edited, NODE, NOW, right } from '../rights.ts';

const HOUR = 3_600_000;
const SPEC = { budget: { shares: 500, ports: 3, pending: 1000 }, memory: '1Gi', pods: 6 };
const BOOKS = offered(policyOf(SPEC), NODE, 0);

const iso = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const windows = fc.record({
  start: fc.option(fc.integer({ min: -5, max: 10 })),
  hours: fc.option(fc.integer({ min: 1, max: 10 })),
});
const rspecs = fc.record({
  cpu: fc.record({ shares: fc.integer({ min: 1, max: 600 }) }),
  egress: fc.record({ guarantee: fc.integer({ min: 0, max: 60_000_000 }), limit: fc.constant('60M') }),
  memory: fc.option(fc.integer({ min: 0, max: 2 ** 30 }), { nil: undefined }),
  ports: fc.uniqueArray(
    fc.record({ protocol: fc.constant('TCP' as const), port: fc.integer({ min: 2000, max: 2004 }) }),
    {
      maxLength: 2,
      selector: (one) => one.port,
    },
  ),
});
const asks = fc.record({ resources: rspecs, window: windows, namespace: fc.constantFrom('team', 'lab', 'shop') });

type AskSample = typeof asks extends fc.Arbitrary<infer T> ? T : never;

function specOf({ resources, window }: Pick<AskSample, 'resources' | 'window'>): Partial<ResourceCapability['spec']> {
  const start = window.start === null ? undefined : iso(window.start);
  const end = window.hours === null ? undefined : iso((window.start ?? 0) + window.hours);
  return { resources, window: { ...(start && { start }), ...(end && { end }) } };
}

function rcapOf(ask: AskSample, index: number): ResourceCapability {
  const metadata = { namespace: ask.namespace, creationTimestamp: iso(-100 + Math.floor(index / 2)) };
  return right(`uid-${index}`, {}, specOf(ask), metadata);
}

/** At every instant at which something starts or ends, from now on. */
function checkNeverOvercommitted(ledger: Ledger, now: number): void {
  const grants = ledger.entries.flatMap(({ namespace, grant }) => (grant ? [{ namespace, grant }] : []));
  const instants = [now, ...grants.flatMap(({ grant }) => [grant.period.start ?? now, (grant.period.end ?? now) - 1])];
  for (const instant of instants.filter((one) => one >= now)) {
    const held = grants.filter(({ grant }) => holdsAt(grant.period, instant));
    const sums = sumsAt(grantsOf(ledger), instant);
    for (const kind of Object.keys(sums) as (keyof typeof sums)[]) {
      assert.ok(sums[kind] <= BOOKS[kind], `${kind}: ${sums[kind]} of ${BOOKS[kind]} at ${instant}`);
    }
    const ports = held.flatMap(({ grant }) => grant.amounts.ports.map(portKey));
    assert.equal(new Set(ports).size, ports.length, 'a port has two owners');
    for (const [namespace, own] of Map.groupBy(held, (one) => one.namespace)) {
      const spent = own.reduce((sum, { grant }) => sum + grant.amounts.shares, 0);
      assert.ok(spent <= 500, `${namespace} has ${spent} shares`);
      assert.ok(own.flatMap(({ grant }) => grant.amounts.ports).length <= 3, `${namespace} has too many ports`);
    }
  }
}

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), ask: asks }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), pick: fc.nat(20), ask: asks }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), pick: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 5 }) }) },
  ),
  { maxLength: 25 },
);

describe('ledger', () => {
  it('is never over-committed at any instant, and empty when all is released', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        let ledger = EMPTY_LEDGER;
        let rcaps: ResourceCapability[] = [];
        let now = NOW;
        for (const [index, step] of sequence.entries()) {
          const picked = 'pick' in step ? rcaps[step.pick % Math.max(rcaps.length, 1)] : undefined;
          if (step.kind === 'ask') rcaps = [...rcaps, rcapOf(step.ask, index)];
          else if (step.kind === 'wait') now += step.hours * HOUR;
          else if (step.kind === 'delete') rcaps = rcaps.filter((one) => one !== picked);
          else rcaps = rcaps.map((one) => (one === picked ? edited(one, specOf(step.ask)) : one));
          ledger = admit(ledger, rcaps, { spec: SPEC, now }).ledger;
          checkNeverOvercommitted(ledger, now);
        }
        assert.deepEqual(admit(ledger, [], { spec: SPEC, now }).ledger.entries, []);
      }),
      { numRuns: 300 },
    );
  });

  it('does not depend on the order of events', () => {
    const shuffles = fc.array(asks, { minLength: 2, maxLength: 10 }).chain((all) => {
      const rcaps = all.map(rcapOf);
      return fc.tuple(fc.constant(rcaps), fc.shuffledSubarray(rcaps, { minLength: rcaps.length }));
    });
    fc.assert(
      fc.property(shuffles, ([rcaps, shuffled]) => {
        const [a, b] = [rcaps, shuffled].map((order) => admit(EMPTY_LEDGER, order, { spec: SPEC }).ledger.entries);
        const sorted = (entries: typeof a): typeof a => [...entries!].sort((x, y) => x.uid.localeCompare(y.uid));
        assert.deepEqual(sorted(a), sorted(b));
      }),
    );
  });

  it('sums without gaps', () => {
    fc.assert(
      fc.property(fc.array(asks, { maxLength: 8 }), windows, (all, window) => {
        const grants = grantsOf(admit(EMPTY_LEDGER, all.map(rcapOf), { spec: SPEC }).ledger);
        const start = window.start === null ? undefined : NOW + window.start * HOUR;
        const end = window.hours === null ? undefined : (start ?? NOW) + window.hours * HOUR;
        const parts = stretches(grants, { start, end });
        assert.equal(parts[0]!.start, start);
        assert.equal(parts.at(-1)!.end, end);
        for (const [i, part] of parts.entries()) {
          if (i > 0) assert.equal(part.start, parts[i - 1]!.end);
          const instant = part.start ?? (part.end ?? NOW) - 1;
          assert.deepEqual(part.sums, sumsAt(grants, instant));
        }
      }),
    );
  });

  it('knows when something starts or ends next', () => {
    const rcaps = [
      right('a', {}, { window: { start: iso(2), end: iso(5) } }),
      right('b', {}, { window: { end: iso(3) } }),
    ];
    const { ledger } = admit(EMPTY_LEDGER, rcaps);
    const hours = [0, 2, 3, 5].map((hour) => nextEdge(ledger, NOW + hour * HOUR));
    assert.deepEqual(hours, [2, 3, 5].map((hour) => NOW + hour * HOUR).concat([undefined as never]));
  });
});
