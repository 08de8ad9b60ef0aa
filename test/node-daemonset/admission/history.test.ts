/** Random histories of every operation: what is promised fits, and every part of a right is somewhere once. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ResourceCapability } from '../../../crds/types.ts';
import {
  EMPTY_LEDGER,
  type Entry,
  grantsOf,
  type Ledger,
  stretches,
  sumsAt,
} from '../../../node-daemonset/admission/ledger.ts';
import { beyondPolicy } from '../../../node-daemonset/admission/beyond.ts';
import { offered, type Policy, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { offeredToOthers } from '../../../node-daemonset/admission/reserve.ts';
import { heldBy } from '../../../node-daemonset/admission/split.ts';
import { admit, edited, NODE, NOW, offering, redeeming, right } from '../rights.ts';
import { checkBooks } from './books.ts';

/** `make nightly` has 100,000. */
const RUNS = Number(process.env['LEDGER_RUNS'] ?? 2000);
const HOUR = 3_600_000;
const BUDGET = { shares: 500, ports: 3 };
const SPEC = { budget: { ...BUDGET, pending: 1000 }, memory: '1Gi', pods: 9 };
const BOOKS = offered(policyOf(SPEC), NODE, 0);
const NAMESPACES = ['team', 'lab', 'shop'];

const iso = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const asks = fc.record({
  shares: fc.integer({ min: 1, max: 400 }),
  guarantee: fc.integer({ min: 0, max: 40_000_000 }),
  memory: fc.option(fc.integer({ min: 0, max: 2 ** 29 }), { nil: undefined }),
  ports: fc.uniqueArray(fc.integer({ min: 2000, max: 2003 }), { maxLength: 2 }),
  start: fc.option(fc.integer({ min: -5, max: 10 })),
  hours: fc.option(fc.integer({ min: 1, max: 10 })),
  namespace: fc.constantFrom(...NAMESPACES),
});
type AskSample = typeof asks extends fc.Arbitrary<infer T> ? T : never;

/** `scale`: parts are smaller than what they are split from. */
function specOf(ask: AskSample, scale = 1): Partial<ResourceCapability['spec']> {
  const { shares, guarantee, memory, ports, start, hours } = ask;
  const end = hours === null ? undefined : iso((start ?? 0) + hours);
  return {
    resources: {
      cpu: { shares: Math.ceil(shares / scale) },
      egress: { guarantee: Math.floor(guarantee / scale), limit: '60M' },
      ...(memory !== undefined && { memory: Math.floor(memory / scale) }),
      ports: ports.map((port) => ({ protocol: 'TCP', port })),
    },
    window: { ...(start !== null && { start: iso(start) }), ...(end && { end }) },
  };
}

const pick = fc.nat(20);
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('acquire' as const), ask: asks }) },
    {
      weight: 5,
      // without a window of its own, a part mostly lies within what it is split from
      arbitrary: fc.record({ kind: fc.constant('split' as const), pick, ask: asks, same: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('renew' as const), pick, ask: asks }) },
    {
      weight: 3,
      // a value may be false, and may be shown again and again
      arbitrary: fc.record({
        kind: fc.constant('transfer' as const),
        pick,
        truly: fc.boolean(),
        namespace: fc.constantFrom(...NAMESPACES),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 5 }) }) },
  ),
  { maxLength: 20 },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

interface World {
  ledger: Ledger;
  rcaps: ResourceCapability[];
  now: number;
}

function created(world: World, index: number, spec: Partial<ResourceCapability['spec']>, namespace: string): World {
  const metadata = { namespace, creationTimestamp: iso(-100 + index) };
  return { ...world, rcaps: [...world.rcaps, right(`uid-${index}`, {}, spec, metadata)] };
}

/** Of the right that it was made for. */
const valueOf = (uid: string): string => Buffer.from(uid).toString('hex').padEnd(64, '0');

function transferred(world: World, holder: ResourceCapability, truly: boolean, to: string, index: number): World {
  const digest = valueOf(holder.metadata.uid ?? '');
  const rcaps = holder.spec.valueSecret
    ? world.rcaps
    : world.rcaps.map((one) => (one === holder ? offering(one, digest) : one));
  const metadata = { namespace: to, creationTimestamp: iso(-100 + index) };
  return { ...world, rcaps: [...rcaps, redeeming(`uid-${index}`, truly ? digest : 'f'.repeat(64), {}, metadata)] };
}

function act(world: World, step: Step, index: number): World {
  if (step.kind === 'acquire') return created(world, index, specOf(step.ask), step.ask.namespace);
  if (step.kind === 'wait') return { ...world, now: world.now + step.hours * HOUR };
  const chosen = world.rcaps[step.pick % Math.max(world.rcaps.length, 1)];
  if (!chosen) return world;
  if (step.kind === 'release') return { ...world, rcaps: world.rcaps.filter((one) => one !== chosen) };
  if (step.kind === 'renew') {
    const scale = chosen.spec.from === undefined ? 1 : 4;
    return { ...world, rcaps: world.rcaps.map((one) => (one === chosen ? edited(one, specOf(step.ask, scale)) : one)) };
  }
  if (step.kind === 'transfer') return transferred(world, chosen, step.truly, step.namespace, index);
  const { name, namespace = '' } = chosen.metadata;
  const spec = specOf(step.ask, chosen.spec.from === undefined ? 4 : 16);
  const owned = new Set(chosen.spec.resources?.ports?.map(({ port }) => port));
  const ports = spec.resources?.ports?.filter(({ port }) => owned.has(port)) ?? [];
  const window = step.same && chosen.spec.window ? { window: chosen.spec.window } : {};
  return created(world, index, { ...spec, resources: { ...spec.resources, ports }, ...window, from: name }, namespace);
}

/** Giving back takes nothing from the node, at no instant: what others held of it is not booked anew. */
function checkNothingGrew(before: Ledger, after: Ledger, now: number): void {
  for (const { start = now } of stretches(grantsOf(before), { start: now, end: undefined })) {
    const [had, has] = [sumsAt(grantsOf(before), start), sumsAt(grantsOf(after), start)];
    for (const kind of ['shares', 'egress', 'memory', 'pods'] as const) assert.ok(has[kind] <= had[kind], kind);
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

describe('a history of rights', () => {
  it('never promises more than there is, counts nothing twice and loses nothing', () => {
    const seen = { parts: 0, partsOfParts: 0, orphans: 0, transfers: 0, movedParts: 0 };
    fc.assert(
      fc.property(steps, (sequence) => {
        const redeemers = new Map<string, string>();
        let world: World = { ledger: EMPTY_LEDGER, rcaps: [], now: NOW };
        for (const [index, step] of sequence.entries()) {
          world = act(world, step, index);
          const before = world.ledger;
          world.ledger = admit(before, world.rcaps, { spec: SPEC, now: world.now }).ledger;
          if (step.kind === 'release' || step.kind === 'wait') checkNothingGrew(before, world.ledger, world.now);
          checkBooks(world.ledger, BOOKS, BUDGET, world.now);
          const { entries } = world.ledger;
          const parents = new Map(entries.map(({ uid, grant }) => [uid, grant?.parent]));
          for (const { uid, grant } of entries) {
            const shown = world.rcaps.find(({ metadata }) => metadata.uid === uid)?.status?.redeemDigest;
            if (grant && shown) {
              assert.equal(redeemers.get(shown) ?? uid, uid, 'a value granted twice');
              redeemers.set(shown, uid);
              seen.transfers++;
              if (entries.some((one) => one.grant?.parent === uid)) seen.movedParts++;
            }
            if (grant?.parent !== undefined) seen.parts++;
            if (grant?.parent !== undefined && parents.get(grant.parent) !== undefined) seen.partsOfParts++;
            if (grant?.from !== undefined && grant.parent === undefined) seen.orphans++;
          }
        }
        const over = admit(world.ledger, [], { spec: SPEC, now: world.now });
        const left = over.ledger.entries.filter(({ refusal }) => refusal?.reason !== 'Transferred');
        assert.deepEqual(left, [], 'when all is released the books are empty');
      }),
      { numRuns: RUNS },
    );
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `no history came to ${what}`);
  });

  it('holds what an owner says now, who changes his mind and says evict, and never what is reserved for others', () => {
    const says = fc.record({ at: fc.nat(20), shares: fc.integer({ min: 0, max: 900 }), percent: fc.nat(60) });
    const ruled = (shares: number, percent: number): Policy =>
      policyOf({ ...SPEC, shares, reserved: { percent, namespaces: ['lab'] }, evict: true });
    const seen = { evicted: 0, handedOn: 0 };
    fc.assert(
      fc.property(steps, fc.array(says, { maxLength: 4 }), (sequence, said) => {
        let world: World = { ledger: EMPTY_LEDGER, rcaps: [], now: NOW };
        let policy = ruled(900, 60);
        for (const [index, step] of sequence.entries()) {
          const anew = said.find(({ at }) => at === index);
          if (anew) policy = ruled(anew.shares, anew.percent);
          world = act(world, step, index);
          const { ledger, decisions } = admit(world.ledger, world.rcaps, { policy, now: world.now });
          world.ledger = ledger;
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
    );
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `no history came to ${what}`);
  });

  it('does not depend on the order of events', () => {
    const worlds = fc.array(fc.tuple(asks, fc.option(fc.nat(8))), { minLength: 2, maxLength: 10 }).chain((all) => {
      const rcaps = all.map(([ask, of], index) => {
        const from = of !== null && of !== index ? { from: `right-uid-${of % all.length}` } : {};
        return created({ ledger: EMPTY_LEDGER, rcaps: [], now: NOW }, index, { ...specOf(ask, 2), ...from }, 'team')
          .rcaps[0]!;
      });
      return fc.tuple(fc.constant(rcaps), fc.shuffledSubarray(rcaps, { minLength: rcaps.length }));
    });
    fc.assert(
      fc.property(worlds, (orders) => {
        const [a, b] = orders.map((rcaps) => {
          const { entries } = admit(EMPTY_LEDGER, rcaps, { spec: SPEC }).ledger;
          return [...entries].sort((x, y) => x.uid.localeCompare(y.uid));
        });
        assert.deepEqual(a, b);
      }),
      { numRuns: RUNS },
    );
  });
});
