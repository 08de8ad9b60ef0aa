import assert from 'node:assert/strict';
import type { Policy } from '../../node-daemonset/admission/policy.ts';
import type { Hold } from '../../node-daemonset/restraint.ts';
import { PENALTY_MS, planStandings, STARTING_MS, whyNot } from '../../node-daemonset/standing.ts';
import { edited, admit, granted, NOW, pod, right, shares } from './rights.ts';

const HOUR = 3_600_000;
const iso = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();

function standings(...args: Parameters<typeof planStandings>): [string, string][] {
  return planStandings(...args).slivers.map(({ id, standing }) => [id, standing]);
}

describe('standing', () => {
  const rcap = right('a', shares(100));

  it('entitles the pod of a right that holds', () => {
    const { slivers, wakeAt, pods } = planStandings([pod('p', rcap)], granted(rcap), [], NOW);
    assert.equal(slivers[0]!.standing, 'entitled');
    assert.equal(slivers[0]!.amounts.shares, 100);
    assert.equal(wakeAt, undefined);
    const again = planStandings(pods, granted(rcap), [], NOW);
    assert.deepEqual(again.pods, pods);
  });

  it('says of a pod with a right that it starts, until its containers run, and for a while at most', () => {
    const records = [pod('p', rcap), pod('q', right('x'))];
    const started = new Set<string>();
    const starting = (now: number): (string | false)[] => {
      const { slivers, wakeAt } = planStandings(records, granted(rcap), [], now, (uid) => started.has(uid));
      const ids = slivers.map((sliver) => sliver.starting === true && sliver.id);
      if (ids[0]) assert.equal(wakeAt, now + 2000, 'it is looked at again soon');
      return ids;
    };
    assert.deepEqual(starting(NOW), ['p', false]);
    assert.deepEqual(starting(NOW + STARTING_MS), [false, false]);
    assert.deepEqual(starting(NOW - HOUR), [false, false], 'nor after the clock was set back');
    started.add('p');
    assert.deepEqual(starting(NOW), [false, false]);
  });

  it('changes no record when nothing changed', () => {
    const ledger = granted(rcap);
    const first = planStandings([pod('p', rcap)], ledger, [], NOW).pods;
    assert.equal(planStandings(first, ledger, [], NOW).pods[0], first[0]);
  });

  const lost: [string, ReturnType<typeof right>][] = [
    ['was deleted', right('other')],
    ['is not bound', right('a', {}, { sliceName: undefined })],
    ['has not begun', right('a', {}, { window: { start: iso(1) } })],
    ['was refused', right('a', shares(0))],
  ];
  for (const [what, of] of lost) {
    it(`penalises, then freezes the pod of a right that ${what}`, () => {
      const ledger = granted(of);
      const first = planStandings([pod('p', rcap)], ledger, [], NOW);
      assert.equal(first.slivers[0]!.standing, 'penalised');
      assert.equal(first.wakeAt, NOW + PENALTY_MS);
      assert.deepEqual(standings(first.pods, ledger, [], NOW + PENALTY_MS - 1), [['p', 'penalised']]);
      assert.deepEqual(standings(first.pods, ledger, [], NOW + PENALTY_MS), [['p', 'frozen']]);
      assert.equal(planStandings(first.pods, ledger, [], NOW + PENALTY_MS).wakeAt, undefined);
    });
  }

  it('penalises when the window ends, and entitles again when it is renewed', () => {
    const short = right('a', {}, { window: { end: iso(1) } });
    const { ledger } = admit(granted(short), [short], { now: NOW + HOUR });
    const late = planStandings([pod('p', short)], ledger, [], NOW + HOUR);
    assert.equal(late.slivers[0]!.standing, 'penalised');
    const renewed = admit(ledger, [edited(short, { window: { end: iso(9) } })], { now: NOW + HOUR }).ledger;
    const again = planStandings(late.pods, renewed, [], NOW + HOUR + 1);
    assert.equal(again.slivers[0]!.standing, 'entitled');
    assert.equal(again.pods[0]!.penalisedSince, undefined);
  });

  it('holds every right back in a blackout', () => {
    const blackouts: Policy['blackouts'] = [{ period: { start: NOW, end: NOW + HOUR }, reason: 'work' }];
    assert.deepEqual(standings([pod('p', rcap)], granted(rcap), blackouts, NOW), [['p', 'penalised']]);
    assert.deepEqual(standings([pod('p', rcap)], granted(rcap), blackouts, NOW + HOUR), [['p', 'entitled']]);
    assert.equal(whyNot(granted(rcap).entries[0], blackouts, NOW), 'Blackout');
  });

  it('says of what others must end before it says what ends by itself', () => {
    const blackouts: Policy['blackouts'] = [{ period: { start: NOW, end: NOW + HOUR }, reason: 'work' }];
    const { entries } = granted(rcap);
    const all = [entries[0]!.grant!];
    const suspended: Hold[] = [{ namespace: 'team', slice: 'measure', suspended: true, by: 'owner' }];
    assert.equal(whyNot(entries[0], blackouts, NOW, [], all), 'GivenAway');
    assert.equal(whyNot(entries[0], blackouts, NOW, suspended, all), 'Suspended');
  });

  it('entitles one pod of a right, the first', () => {
    const pods = [
      pod('later', rcap, { publishedAt: NOW + 1 }),
      pod('first', rcap),
      pod('gone', rcap, { unpublished: true, publishedAt: 0 }),
    ];
    assert.deepEqual(standings(pods, granted(rcap), [], NOW), [
      ['later', 'penalised'],
      ['first', 'entitled'],
      ['gone', 'penalised'],
    ]);
  });

  it('leaves a pod the sliver of the slice that it was started for, whatever its right is bound to since', () => {
    const ledger = granted(right('a', shares(100), { sliceName: 'other' }));
    const pods = [pod('p', rcap), pod('next', rcap, { slice: 'other', publishedAt: NOW + 1 })];
    const { slivers } = planStandings(pods, ledger, [], NOW + PENALTY_MS);
    assert.deepEqual(
      slivers.map(({ slice, standing }) => `${slice} ${standing}`),
      ['measure penalised', 'other entitled'],
    );
  });

  it('is not fooled by another right of the same name', () => {
    const again = right('b', shares(900), {}, { name: rcap.metadata.name });
    assert.deepEqual(standings([pod('p', rcap)], granted(again), [], NOW), [['p', 'penalised']]);
  });

  it('does not stretch a penalty when the clock is set back', () => {
    const { pods } = planStandings([pod('p', rcap)], granted(), [], NOW);
    const { pods: back } = planStandings(pods, granted(), [], NOW - HOUR);
    assert.equal(back[0]!.penalisedSince, NOW - HOUR);
    assert.deepEqual(standings(back, granted(), [], NOW - HOUR + PENALTY_MS), [['p', 'frozen']]);
  });

  it('keeps what a pod without a right last had, for its class', () => {
    const { pods } = planStandings([pod('p', rcap)], granted(rcap), [], NOW);
    assert.equal(planStandings(pods, granted(), [], NOW).slivers[0]!.amounts.shares, 100);
  });
});
