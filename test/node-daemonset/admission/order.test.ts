/** What came between two passes is answered in one, and it makes no difference which of it was heard first. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { covering } from './covering.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import type { Admission } from '../../../node-daemonset/admission/plan.ts';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { admit, statusIn } from '../rights.ts';
import {
  act,
  asks,
  created,
  EMPTY_WORLD,
  RUNS,
  seen as seenIn,
  SPEC,
  specOf,
  type Step,
  steps,
  type World,
} from './world.ts';

/** The last pass: how many steps come before it, in which order it hears of rights, and what else there is. */
const lasts = fc.record({
  steps: fc.integer({ min: 1, max: 10 }),
  order: fc.array(fc.nat(1000), { minLength: 20, maxLength: 20 }),
  /** What the owner says by then; undefined: what he said before. */
  owner: fc.option(fc.record({ shares: fc.integer({ min: 100, max: 900 }), percent: fc.nat(60) }), { nil: undefined }),
  /** Answers that a namespace may have. */
  turns: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  /** Answers that there may be in all. */
  answers: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  /** Whether the ledger is lost, and what it was is known from statuses alone. */
  lost: fc.nat(4).map((one) => one === 0),
});

/** Whatever else is done in the last pass, two show the value of one right. */
const rivals = fc.option(
  fc.record({ pick: fc.nat(20), namespaces: fc.tuple(fc.constantFrom('team', 'lab'), fc.constantFrom('lab', 'shop')) }),
  { nil: undefined },
);

function shuffled(rcaps: readonly ResourceCapability[], order: readonly number[]): ResourceCapability[] {
  return rcaps
    .map((rcap, i) => ({ rcap, at: order[i % order.length]! }))
    .sort((a, b) => a.at - b.at)
    .map(({ rcap }) => rcap);
}

/** Everything that was decided; the order of what is kept tells nothing. */
function outcome({ ledger, decisions, waiting, more }: Admission): unknown {
  const byUid = <T extends { uid: string }>(all: readonly T[] = []): T[] =>
    all.toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  const { entries, bindings, ...rest } = ledger;
  return { ...rest, entries: byUid(entries), bindings: byUid(bindings), decisions, waiting: [...waiting].sort(), more };
}

function lived(world: World, step: Step, index: number): World {
  const next = act(world, step, index);
  const { node, now } = next;
  return { ...next, ledger: admit(next.ledger, seenIn(next), { spec: SPEC, node, now }).ledger };
}

describe('what one pass decides', () => {
  it('does not depend on the order of events', () => {
    const met: Record<string, number> = {};
    const meet = (what: string): void => void (met[what] = (met[what] ?? 0) + 1);
    const all =
      'granted renewed denied resizeDenied expired released transferred evicted Recovered waiting more rivals parts';
    covering(met, all.split(' '), () =>
      fc.assert(
        fc.property(steps, lasts, rivals, (sequence, last, both) => {
          const first = Math.max(0, sequence.length - last.steps);
          let world = sequence.slice(0, first).reduce(lived, EMPTY_WORLD);
          const before = world.ledger;
          world = sequence.slice(first).reduce((next, step, i) => act(next, step, first + i), world);
          const pick = (both?.pick ?? 0) % Math.max(world.rcaps.length, 1);
          const shows = (both?.namespaces ?? []).map((namespace): Step => {
            return { kind: 'transfer', pick, truly: true, namespace };
          });
          world = shows.reduce((next, step, i) => act(next, step, sequence.length + i), world);
          const told = last.lost ? seenIn(world).map(statusIn(before, before.nodeUID)) : seenIn(world);
          const { shares, percent } = last.owner ?? {};
          const reserved = percent === undefined ? {} : { reserved: { percent, namespaces: ['lab'] } };
          const policy = policyOf({ ...SPEC, ...(shares !== undefined && { shares, evict: true }), ...reserved });
          const { turns, answers } = last;
          const bounds = {
            ...(turns !== undefined && { turns: () => turns }),
            ...(answers !== undefined && { answers }),
          };
          const { node, now } = world;
          const change = { policy, node, now, ...bounds };
          const ledger = last.lost ? EMPTY_LEDGER : before;
          const [one, other] = [told, shuffled(told, last.order)].map((rcaps) => admit(ledger, rcaps, change));
          assert.deepEqual(outcome(one!), outcome(other!));
          for (const { event, reason } of one!.decisions) meet(reason === 'Recovered' ? reason : event);
          if (one!.waiting.size > 0) meet('waiting');
          if (one!.more) meet('more');
          const rival = shows.map((_, i) =>
            one!.ledger.entries.find(({ uid }) => uid === `uid-${sequence.length + i}`),
          );
          if (rival.filter((entry) => entry?.grant).length === 1 && rival.every(Boolean)) meet('rivals');
          if (one!.ledger.entries.some(({ grant }) => grant && grant.parent !== undefined)) meet('parts');
        }),
        { numRuns: RUNS },
      ),
    );
  });

  it('does not either where rights name others to be split from that are younger, missing, or split from them', () => {
    const worlds = fc.array(fc.tuple(asks, fc.option(fc.nat(8))), { minLength: 2, maxLength: 10, size: 'max' });
    fc.assert(
      fc.property(worlds, lasts, (all, { order, turns }) => {
        const specs = all.map(([ask, of], i) => {
          return { ...specOf(ask, 2), ...(of !== null && of !== i && { from: `right-uid-${of % all.length}` }) };
        });
        const change = { spec: SPEC, ...(turns !== undefined && { turns: () => turns }) };
        const { rcaps } = specs.reduce((world, spec, i) => created(world, i, spec, 'team'), EMPTY_WORLD);
        const [one, other] = [rcaps, shuffled(rcaps, order)].map((told) => admit(EMPTY_LEDGER, told, change));
        assert.deepEqual(outcome(one!), outcome(other!));
      }),
      { numRuns: RUNS },
    );
  });
});
