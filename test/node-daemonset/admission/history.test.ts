/** Random histories of every operation: what is promised fits, and every part of a right is somewhere once. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { covering } from './covering.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import {
  EMPTY_LEDGER,
  type Entry,
  grantsOf,
  type Ledger,
  stretches,
  sumsAt,
} from '../../../node-daemonset/admission/ledger.ts';
import type { Admission } from '../../../node-daemonset/admission/plan.ts';
import { beyondPolicy } from '../../../node-daemonset/admission/beyond.ts';
import { offered, type Policy, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { offeredToOthers } from '../../../node-daemonset/admission/reserve.ts';
import { heldBy, lineageOf, under } from '../../../node-daemonset/admission/split.ts';
import { admit, NODE, statusIn } from '../rights.ts';
import { checkBooks } from './books.ts';
import { act, BOOKS, BUDGET, EMPTY_WORLD, RUNS, seen as seenIn, SPEC, type Step, steps, type World } from './world.ts';

/** Giving back takes nothing from the node, at no instant: what others held of it is not booked anew. */
function checkNothingGrew(before: Ledger, after: Ledger, now: number): void {
  for (const { start = now } of stretches(grantsOf(before), { start: now, end: undefined })) {
    const [had, has] = [sumsAt(grantsOf(before), start), sumsAt(grantsOf(after), start)];
    for (const kind of ['shares', 'egress', 'memory', 'pods'] as const) assert.ok(has[kind] <= had[kind], kind);
  }
}

/**
 * A Node that is registered anew gives back all that was held, whosever it was first, as part of what it was; edits may be granted, too, and
 * so may who was refused for his budget, and not for the value that he showed. */
function checkAllIsBack(before: Ledger, { ledger: after, decisions }: Admission): void {
  const has = new Map(after.entries.map(({ uid, grant }) => [uid, grant]));
  const passed = new Set(decisions.flatMap(({ event, uid }) => (event === 'transferred' ? [uid] : [])));
  for (const { uid, grant } of before.entries) {
    const now = has.get(uid);
    if (!grant || passed.has(uid)) continue;
    assert.ok(now, `${uid} is lost`);
    const parent = passed.has(grant.parent ?? '') ? now.parent : grant.parent;
    assert.equal(now.parent, parent);
    if (now.generation === grant.generation) assert.deepEqual(now, under(parent, grant));
  }
}

function checkReserve(ledger: Ledger, policy: Policy, now: number): void {
  const { reserved } = policy;
  if (!reserved) return;
  const limits = offeredToOthers(offered(policy, NODE, 0), reserved);
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  const held = heldBy(ledger.entries, entries, (namespace) => !reserved.namespaces.has(namespace));
  for (const { sums } of stretches(held, { start: now, end: undefined })) {
    for (const kind of ['shares', 'egress', 'memory', 'pods'] as const) {
      assert.ok(sums[kind] <= limits[kind], `${kind}: others have ${sums[kind]} of ${limits[kind]}`);
    }
  }
}

function isUnedited({ metadata, status }: ResourceCapability): boolean {
  return status?.granted?.observedGeneration === metadata.generation;
}

function lived(sequence: readonly Step[]): World {
  return sequence.reduce((before, step, index): World => {
    const world = act(before, step, index);
    const { node, now } = world;
    return { ...world, ledger: admit(world.ledger, seenIn(world), { spec: SPEC, node, now }).ledger };
  }, EMPTY_WORLD);
}

describe('a history of rights', () => {
  it('never promises more than there is, counts nothing twice and loses nothing', () => {
    const seen = {
      parts: 0,
      partsOfParts: 0,
      orphans: 0,
      transfers: 0,
      movedParts: 0,
      again: 0,
      orphansAnew: 0,
      redeemedAnew: 0,
    };
    covering(seen, Object.keys(seen), () =>
      fc.assert(
        fc.property(steps, (sequence) => {
          const redeemers = new Map<string, string>();
          const bound = new Map<string, string>();
          const lost = new Set<string>();
          const passed = new Set<string>();
          let world = EMPTY_WORLD;
          for (const [index, step] of sequence.entries()) {
            world = act(world, step, index);
            const before = world.ledger;
            const after = admit(before, seenIn(world), { spec: SPEC, node: world.node, now: world.now });
            const { ledger } = after;
            world = { ...world, ledger };
            if (step.kind === 'release' || step.kind === 'wait') checkNothingGrew(before, world.ledger, world.now);
            if (step.kind === 'anew') checkAllIsBack(before, after);
            checkBooks(world.ledger, BOOKS, BUDGET, world.now);
            const { entries } = world.ledger;
            const parents = new Map(entries.map(({ uid, grant }) => [uid, grant?.parent]));
            for (const { uid, grant, refusal } of entries) {
              if (grant && bound.has(uid)) assert.equal(grant.sliceName, bound.get(uid), 'bound to another slice');
              if (grant?.sliceName) bound.set(uid, grant.sliceName);
              if (grant && lost.has(uid)) seen.again++;
              if (!grant && bound.has(uid)) lost.add(uid);
              if (refusal?.reason === 'Transferred') passed.add(uid);
              assert.ok(!grant || !passed.has(uid), 'a former holder has a right again');
              const isBack = step.kind === 'anew' && grant;
              if (isBack && grant.from !== undefined && grant.parent === undefined) seen.orphansAnew++;
              const shown = world.rcaps.find(({ metadata }) => metadata.uid === uid)?.status?.redeemDigest;
              if (grant && shown) {
                assert.equal(redeemers.get(shown) ?? uid, uid, 'a value granted twice');
                redeemers.set(shown, uid);
                seen.transfers++;
                if (isBack) seen.redeemedAnew++;
                if (entries.some((one) => one.grant?.parent === uid)) seen.movedParts++;
              }
              if (grant?.parent !== undefined) seen.parts++;
              if (grant?.parent !== undefined && parents.get(grant.parent) !== undefined) seen.partsOfParts++;
              if (grant?.from !== undefined && grant.parent === undefined) seen.orphans++;
            }
          }
          const over = admit(world.ledger, [], { spec: SPEC, node: world.node, now: world.now });
          const left = over.ledger.entries.filter(({ refusal }) => refusal?.reason !== 'Transferred');
          assert.deepEqual(left, [], 'when all is released the books are empty');
        }),
        { numRuns: RUNS },
      ),
    );
  });

  it('holds what an owner says now, who changes his mind and says evict, and never what is reserved for others', () => {
    const says = fc.record({ at: fc.nat(20), shares: fc.integer({ min: 0, max: 900 }), percent: fc.nat(60) });
    const ruled = (shares: number, percent: number): Policy =>
      policyOf({ ...SPEC, shares, reserved: { percent, namespaces: ['lab'] }, evict: true });
    const seen = { evicted: 0, handedOn: 0 };
    covering(seen, Object.keys(seen), () =>
      fc.assert(
        fc.property(steps, fc.array(says, { maxLength: 4 }), (sequence, said) => {
          let world = EMPTY_WORLD;
          let policy = ruled(900, 60);
          for (const [index, step] of sequence.entries()) {
            const anew = said.find(({ at }) => at === index);
            if (anew) policy = ruled(anew.shares, anew.percent);
            world = act(world, step, index);
            const { ledger, decisions } = admit(world.ledger, seenIn(world), {
              policy,
              node: world.node,
              now: world.now,
            });
            world = { ...world, ledger };
            checkBooks(ledger, offered(policy, NODE, 0), BUDGET, world.now);
            checkReserve(ledger, policy, world.now);
            // so that it need not be looked for again until the owner says something else
            assert.deepEqual(beyondPolicy(ledger.entries, policy, NODE, world.now), []);
            seen.evicted += decisions.filter(({ event }) => event === 'evicted').length;
            const isLabs = (uid: string): boolean =>
              ledger.entries.some((one) => one.uid === uid && one.namespace === 'lab');
            const isHanded = ({ grant, namespace }: Entry) =>
              namespace !== 'lab' && grant?.parent && isLabs(grant.parent);
            if (ledger.entries.some(isHanded)) seen.handedOn++;
          }
        }),
        { numRuns: RUNS },
      ),
    );
  });

  it('is taken back whole from what the node told, where its ledger is lost, whatever the owner says by then', () => {
    const says = fc.record({
      shares: fc.nat(900),
      budget: fc.record({ shares: fc.nat(500), ports: fc.nat(3), pending: fc.nat(3) }),
      percent: fc.nat(60),
      pods: fc.nat(9),
      refused: fc.boolean(),
      othersRequest: fc.nat(NODE.cpuMilli),
    });
    const met = { rights: 0, parts: 0, handedOn: 0 };
    covering(met, Object.keys(met), () =>
      fc.assert(
        fc.property(steps, says, (sequence, { shares, budget, percent, pods, refused, othersRequest }) => {
          const world = lived(sequence);
          const { ledger: before, node, now } = world;
          const policy = policyOf({
            ...{ shares, budget, pods },
            reserved: { percent, namespaces: ['lab'] },
            namespaces: [{ name: 'team', refused }],
          });
          const told = seenIn(world).map(statusIn(before, node.uid));
          const change = { policy, otherRequests: othersRequest, turns: () => 0, node, now };
          const { entries } = admit(EMPTY_LEDGER, told, change).ledger;
          const rebuilt = new Map(entries.map((entry) => [entry.uid, entry]));
          const granted = before.entries.filter(({ grant }) => grant);
          assert.deepEqual(
            entries
              .filter(({ grant }) => grant)
              .map(({ uid }) => uid)
              .sort(),
            granted.map(({ uid }) => uid).sort(),
          );
          for (const { uid, namespace, grant } of granted) {
            assert.deepEqual(rebuilt.get(uid)!.grant, grant);
            const parent = rebuilt.get(grant!.parent ?? '');
            met.rights++;
            if (parent) met.parts++;
            if (parent && parent.namespace !== namespace) met.handedOn++;
          }
        }),
        { numRuns: RUNS },
      ),
    );
  });

  it('is granted anew from what the node told, where it is registered anew without its ledger', () => {
    const met = { rights: 0, parts: 0, redeemed: 0 };
    covering(met, Object.keys(met), () =>
      fc.assert(
        fc.property(steps, (sequence) => {
          const world = lived(sequence);
          const { ledger: before, now } = world;
          const told = seenIn(world).map(statusIn(before, world.node.uid));
          const after = admit(EMPTY_LEDGER, told, { spec: SPEC, node: { ...NODE, uid: 'next' }, now });
          checkBooks(after.ledger, BOOKS, BUDGET, now);
          const was = new Map(before.entries.map((entry) => [entry.uid, entry]));
          const unedited = new Set(told.filter((one) => isUnedited(one)).map(({ metadata }) => metadata.uid));
          const whole = before.entries.filter((entry) => lineageOf(was, entry).every(({ uid }) => unedited.has(uid)));
          checkAllIsBack({ ...before, entries: whole }, after);
          for (const { uid, grant } of after.ledger.entries) {
            if (!grant) continue;
            assert.notEqual(was.get(uid)?.refusal?.reason, 'Transferred', 'a former holder has a right again');
            met.rights++;
            if (grant.parent !== undefined) met.parts++;
            if (told.some(({ metadata, spec }) => metadata.uid === uid && spec.redeem)) met.redeemed++;
          }
        }),
        { numRuns: RUNS },
      ),
    );
  });
});
