import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FencedError } from '../../kube/errors.ts';
import type { LeaderOptions } from '../../kube/leader.ts';
import { Candidate, Election, SWIFT, type Fate } from './election.ts';

const MINUTE = 60_000;

/** Wall clocks: right, an hour ahead, an hour behind, and stuck. */
const WALLS: ((time: string) => string)[] = [
  (time) => time,
  (time) => new Date(Date.parse(time) + 60 * MINUTE).toISOString(),
  (time) => new Date(Date.parse(time) - 60 * MINUTE).toISOString(),
  () => '2026-01-01T00:00:00.000000Z',
];

const fate = fc.record({
  outMs: fc.constantFrom(0, 0, 250, 3_000, 30_000),
  backMs: fc.constantFrom(0, 0, 250, 3_000, 12_000),
  lost: fc.constantFrom('no', 'no', 'no', 'no', 'request', 'answer'),
}) as fc.Arbitrary<Fate>;

const trouble = fc.record({
  afterMs: fc.integer({ min: 0, max: 20_000 }),
  who: fc.nat({ max: 2 }),
  what: fc.constantFrom('pause', 'pause', 'stop', 'touch'),
  ms: fc.integer({ min: 500, max: 40_000 }),
});

const story = fc.record({
  fates: fc.array(fate, { maxLength: 120 }),
  troubles: fc.array(trouble, { maxLength: 8 }),
  walls: fc.array(fc.nat({ max: WALLS.length - 1 }), { minLength: 3, maxLength: 3 }),
});

type Story = typeof story extends fc.Arbitrary<infer S> ? S : never;

/** Plays the story with three processes; true when, at no instant, two of them would have written, and in the end one does. */
async function play({ fates, troubles, walls }: Story, options: Partial<LeaderOptions> = {}): Promise<boolean> {
  const election = new Election();
  const rest = [...fates];
  let most = 0;
  const candidates = [1_000, 5_000_000, 77].map(
    (origin, i) => new Candidate(election, origin, () => rest.shift() ?? SWIFT, options, WALLS[walls[i]!]),
  );
  const look = () => {
    most = Math.max(most, candidates.filter((one) => one.writes).length);
    for (const one of candidates) if (one.leader.lost.aborted) one.restart();
  };
  try {
    for (const { afterMs, who, what, ms } of troubles) {
      await election.pass(afterMs, look);
      const one = candidates[who]!;
      if (what === 'pause') one.stoppedUntil = election.now + ms;
      if (what === 'touch' && election.lease) election.write({}, false);
      // the process ends, but its last thought may still be a write
      if (what === 'stop') void one.leader.stop();
    }
    rest.length = 0;
    await election.pass(2 * MINUTE, look);
    for (const one of candidates) if (!one.writes) one.restart();
    await election.pass(MINUTE, look);
    return most === 1 && candidates.some((one) => one.writes);
  } finally {
    election.end();
  }
}

describe('Leader', () => {
  it('is never one of two that would write, whatever stops, is lost or has the wrong time', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (one) => assert.ok(await play(one))),
      { numRuns: 60 },
    );
  });

  it('would be one of two if it wrote for longer than its lease (so the stories above can tell)', async () => {
    const longer = { renewDeadlineMs: 40_000 };
    const result = await fc.check(
      fc.asyncProperty(story, (one) => play(one, longer)),
      { numRuns: 200, endOnFailure: true },
    );
    assert.ok(result.failed);
  });

  describe('on its own', () => {
    let election: Election;
    let alone: Candidate;
    beforeEach(() => {
      election = new Election();
      alone = new Candidate(election, 1_000);
    });
    afterEach(() => election.end());

    it('leads after it was elected and not before, and keeps its lease', async () => {
      assert.throws(() => alone.leader.fence(), FencedError);
      await election.pass(250);
      await alone.leader.elected;
      await election.pass(MINUTE, () => assert.ok(alone.writes));
      assert.equal(election.lease!.spec.leaseTransitions, 0);
    });

    it('writes nothing after it was stopped for longer than its lease, before any timer of its own has run', async () => {
      await election.pass(250);
      assert.ok(alone.writes);
      election.now += 10_000;
      assert.ok(!alone.writes);
      assert.ok(alone.leader.lost.aborted);
      election.now -= 10_000;
      assert.ok(!alone.writes, 'what is lost does not come back');
    });

    it('counts its lease from when it asked, not from when it was answered', async () => {
      await election.pass(250);
      await alone.leader.stop();
      let fate: Fate = { outMs: 0, backMs: 1_500, lost: 'no' };
      const slow = new Candidate(election, 5, () => fate);
      const asked = election.now;
      // its get and its patch take more than three seconds; from then on nothing is answered
      await election.pass(4_000);
      fate = { outMs: 0, backMs: 60_000, lost: 'no' };
      await slow.leader.elected;
      await election.pass(asked + 9_750 - election.now);
      assert.ok(slow.writes);
      await election.pass(250);
      assert.ok(!slow.writes);
    });

    it('says that it has lost when its lease passes, without being asked', async () => {
      await election.pass(250);
      alone.stoppedUntil = Infinity;
      await election.pass(9_000);
      assert.ok(!alone.leader.lost.aborted);
      await election.pass(3_000);
      assert.ok(alone.leader.lost.aborted);
    });

    it('survives that somebody edits its lease', async () => {
      await election.pass(MINUTE, () => {
        if (election.lease) election.write({}, false);
        assert.ok(!alone.leader.lost.aborted);
      });
    });

    it('loses at once when another has its lease', async () => {
      await election.pass(250);
      election.write({ spec: { holderIdentity: 'somebody' } }, false);
      await election.pass(2_500);
      assert.ok(alone.leader.lost.aborted);
    });

    it('gives its lease back, and writes nothing from then on', async () => {
      await election.pass(250);
      await alone.leader.stop();
      assert.equal(election.lease!.spec.holderIdentity, '');
      const next = new Candidate(election, 9);
      await election.pass(500);
      assert.deepEqual([alone.writes, next.writes], [false, true]);
      await election.pass(MINUTE, () => assert.ok(!alone.writes));
    });

    it('gets no leadership from an answer that comes after it gave the lease back', async () => {
      let slow = SWIFT;
      const late = new Candidate(election, 5, () => slow);
      await alone.leader.stop();
      await election.pass(250);
      assert.ok(late.writes);
      slow = { outMs: 0, backMs: 3_000, lost: 'no' };
      await election.pass(2_250);
      slow = SWIFT;
      const stopped = late.leader.stop();
      await election.pass(5_000, () => assert.ok(!late.writes));
      await stopped;
      assert.equal(election.lease!.spec.holderIdentity, '');
    });
  });
});
