import assert from 'node:assert/strict';
import { array, assert as check, integer, nat, option, property, record, tuple } from 'fast-check';
import type { Rspec, SliceNodeSpec } from '../../../crds/types.ts';
import { beyondPolicy } from '../../../node-daemonset/admission/beyond.ts';
import { EMPTY_LEDGER, grantsOf, type Ledger, peak, stretches } from '../../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { GrowingSums } from '../../../node-daemonset/admission/sums.ts';
import { admit, edited, NODE, NOW, right, shares } from '../rights.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const at = (days: number): string => new Date(NOW + days * DAY).toISOString();
const EVICT: SliceNodeSpec = { evict: true };

/** Rights granted one after the other, an hour apart: the first is the oldest. */
function oneByOne(...rcaps: ReturnType<typeof right>[]): Ledger {
  return rcaps.reduce(
    (ledger, _, i) => admit(ledger, rcaps.slice(0, i + 1), { now: NOW + i * HOUR }).ledger,
    EMPTY_LEDGER,
  );
}
const left = (ledger: Ledger): string[] => ledger.entries.filter(({ grant }) => grant).map(({ uid }) => uid);

describe('a policy that offers less than was granted', () => {
  const rcaps = [right('a', shares(300)), right('b', shares(400)), right('c', shares(100))];
  const ledger = oneByOne(...rcaps);
  const now = NOW + DAY;

  it('takes nothing away, and grants nothing new in its place', () => {
    const asked = [...rcaps, right('d', shares(1))];
    const after = admit(ledger, asked, { spec: { shares: 500 }, now });
    assert.deepEqual(left(after.ledger), ['a', 'b', 'c']);
    assert.deepEqual(
      after.decisions.map(({ event, reason }) => [event, reason]),
      [['denied', 'InsufficientShares']],
    );
  });

  it('with evict takes back the youngest that do not fit beside the older, none in vain, each with its reason', () => {
    const { ledger: after, decisions } = admit(ledger, rcaps, { spec: { shares: 500, ...EVICT }, now });
    assert.deepEqual(left(after), ['a', 'c'], 'c is younger than b, but its going would not make room for b');
    assert.deepEqual(
      decisions.map(({ event, uid }) => [event, uid]),
      [['evicted', 'b']],
    );
    const { refusal } = after.entries.find(({ uid }) => uid === 'b')!;
    assert.equal(refusal!.reason, 'Evicted');
    assert.match(
      refusal!.message,
      /took it back: it has 400, and older rights leave 200 of 500 shares that are offered now/,
    );
    assert.deepEqual(admit(after, rcaps, { spec: { shares: 500, ...EVICT }, now }).decisions, [], 'once');
    const again = admit(after, [rcaps[0]!, edited(rcaps[1]!, { resources: shares(100) }), rcaps[2]!], {
      spec: { shares: 500, ...EVICT },
      now,
    });
    assert.deepEqual(left(again.ledger).toSorted(), ['a', 'b', 'c'], 'whoever asks for less is judged as anybody');
  });

  it('goes by the age of what is held: binding keeps it, more of it is new', () => {
    const bound = admit(ledger, [edited(rcaps[0]!, { contact: 'new@example.org' }), ...rcaps.slice(1)], { now }).ledger;
    assert.deepEqual(left(admit(bound, undefined, { spec: { shares: 300, ...EVICT }, now }).ledger), ['a']);
    const larger = admit(ledger, [edited(rcaps[0]!, { resources: shares(301) }), ...rcaps.slice(1)], { now }).ledger;
    assert.deepEqual(left(admit(larger, undefined, { spec: { shares: 500, ...EVICT }, now }).ledger), ['b', 'c']);
  });

  it('does so at every instant, also for reservations, and without the API server', () => {
    const early = right('a', shares(500), { window: { start: at(0), end: at(10) } });
    const late = right('b', shares(500), { window: { start: at(10), end: at(20) } });
    const both = right('c', shares(300), { window: { start: at(5), end: at(15) } });
    const after = admit(oneByOne(early, late, both), undefined, { spec: { shares: 600, ...EVICT }, now: NOW + DAY });
    assert.deepEqual(left(after.ledger), ['a', 'b']);
  });

  it('never because of what other pods asked for, of a line that is slow today, or of a blackout', () => {
    const blackouts = [{ start: at(0), end: at(5) }];
    const change = { otherRequests: 1900, lineRate: 1e6, spec: { ...EVICT, blackouts }, now };
    assert.deepEqual(admit(ledger, rcaps, change).decisions, []);
  });

  it('judges the kind of a right too: namespace, ports, privileges, network, budgets', () => {
    const port = { protocol: 'TCP', port: 5000 } as const;
    const cases: [Rspec, SliceNodeSpec, RegExp][] = [
      [shares(1), { namespaces: [{ name: 'team', refused: true }] }, /refuses namespace team/],
      [{ ports: [port] }, { ports: [] }, /TCP port 5000 is not among/],
      [{ privileges: ['RawSockets'] }, { privileges: [] }, /RawSockets is not among/],
      [{ network: 'Host' }, {}, /node's own address/],
      [shares(9), { budget: { shares: 8 } }, /leave 8 of 8 shares that namespace team may have/],
      [{ ports: [port] }, { budget: { ports: 0 } }, /leave 0 of 0 ports that namespace team may have/],
    ];
    for (const [resources, spec, message] of cases) {
      const rcap = right('a', resources);
      const before = admit(EMPTY_LEDGER, [rcap], { spec: { hostNetwork: true } }).ledger;
      assert.deepEqual(left(before), ['a']);
      const { ledger: after } = admit(before, [rcap], { spec: { ...spec, ...EVICT } });
      assert.match(after.entries[0]!.refusal?.message ?? '', message);
    }
  });

  it('leaves parts that still fit, as rights of their own', () => {
    const whole = right('a', { ...shares(500), egress: { guarantee: '1M', limit: '10M' } });
    const part = right('b', { ...shares(200), egress: { guarantee: '500k', limit: '10M' } }, { from: 'right-a' });
    const { ledger: after } = admit(oneByOne(whole, part), undefined, { spec: { shares: 300, ...EVICT }, now });
    assert.deepEqual(left(after), ['b']);
    assert.equal(after.entries.find(({ uid }) => uid === 'b')!.grant!.parent, undefined);
  });

  it('leaves what fits at every instant, and nothing goes that would fit beside the older', () => {
    const ask = record({
      shares: integer({ min: 1, max: 400 }),
      from: nat(20),
      days: integer({ min: 1, max: 9 }),
    });
    check(
      property(array(ask, { maxLength: 12 }), integer({ min: 0, max: 900 }), (asks, offer) => {
        const many = asks.map((one, i) =>
          right(`r${i}`, shares(one.shares), { window: { start: at(one.from), end: at(one.from + one.days) } }),
        );
        const before = oneByOne(...many);
        const spec = { shares: offer, ...EVICT, budget: { shares: 1000, ports: 50, pending: 1000 } };
        const policy = policyOf(spec);
        const { ledger: after } = admit(before, many, { spec });
        const ahead = { start: NOW, end: undefined };
        assert.ok(peak(grantsOf(after), ahead).shares <= offered(policy, NODE, 0).shares);
        const kept = new Set(left(after));
        for (const { grant, uid } of before.entries) {
          if (!grant || kept.has(uid)) continue;
          const older = grantsOf(after).filter(({ time }) => time < grant.time);
          assert.ok(peak([...older, grant], ahead).shares > offer, `${uid} went in vain`);
        }
        assert.deepEqual(beyondPolicy(after.entries, policy, NODE, NOW), []);
      }),
      { numRuns: 300 },
    );
  });
});

describe('sums over time', () => {
  it('are those that the books have', () => {
    const period = tuple(option(nat(20)), option(integer({ min: 1, max: 9 }))).map(([start, length]) => ({
      start: start === null ? undefined : NOW + start,
      end: length === null ? undefined : NOW + (start ?? 0) + length,
    }));
    check(
      property(array(tuple(period, nat(50))), period, (added, asked) => {
        const sums = new GrowingSums([...added.map(([one]) => one), asked], NOW);
        for (const [one, much] of added) sums.add(one, { shares: much });
        const template = oneByOne(right('a')).entries[0]!.grant!;
        const grants = added.map(([one, much]) => ({
          ...template,
          period: one,
          amounts: { ...template.amounts, shares: much },
        }));
        const from = { start: asked.start ?? NOW, end: asked.end };
        const most = Math.max(0, ...stretches(grants, from).map(({ sums: all }) => all.shares));
        assert.equal(sums.peak(asked, 'shares'), most);
      }),
    );
  });
});
