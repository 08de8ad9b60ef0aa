import assert from 'node:assert/strict';
import { LABEL_NODE } from '../../../crds/names.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { boundBefore, keptBindings } from '../../../node-daemonset/admission/unseen.ts';
import { EMPTY_STATE, parseCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { PENALTY_MS, planStandings } from '../../../node-daemonset/standing.ts';
import { admit, edited, granted, NODE, NOW, offering, pod, redeeming, right, shares } from '../rights.ts';

const HOUR = 3_600_000;
const at = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const entryOf = (ledger: Ledger, uid = 'a') => ledger.entries.find((entry) => entry.uid === uid);

describe('a right that was bound', () => {
  const bound = right('a', shares(300), { window: { end: at(9) } });
  const rebound = edited(bound, { sliceName: 'other' });
  const unbound = edited(bound, { sliceName: undefined });
  const refused = (ledger: Ledger): void => {
    assert.equal(entryOf(ledger)?.grant, undefined);
    assert.match(entryOf(ledger)!.refusal!.message, /^it is bound to slice measure and stays so/);
  };

  it('stays so when the node’s label is taken off and put back, and its suspended sliver stays frozen', () => {
    const holds = [{ namespace: 'team', slice: 'measure', suspended: true }];
    const pods = [pod('p', bound, { penalisedSince: NOW - PENALTY_MS })];
    const standing = (ledger: Ledger) =>
      planStandings(pods, ledger, [], NOW, undefined, holds).slivers.map((one) => `${one.slice} ${one.standing}`);
    assert.deepEqual(standing(granted(bound)), ['measure frozen']);
    const gone = admit(granted(bound), []).ledger;
    assert.deepEqual(gone.entries, [], 'it is off the books meanwhile');
    for (const one of [rebound, unbound]) {
      const { ledger } = admit(gone, [one]);
      refused(ledger);
      assert.deepEqual(standing(ledger), ['measure frozen']);
      refused(admit(ledger, [edited(one, { sliceName: 'third' })]).ledger);
      const back = admit(ledger, [edited(one, { sliceName: 'measure' })]).ledger;
      assert.equal(entryOf(back)!.grant!.sliceName, 'measure');
      assert.equal(back.bindings, undefined, 'the grant says so itself');
    }
  });

  it('stays so also when it ended, was taken back by the owner, or was given up for another node', () => {
    const before = granted(bound);
    const moved = { ...bound, metadata: { ...bound.metadata, labels: { [LABEL_NODE]: 'node2' } } };
    const over: [string, Ledger, number][] = [
      ['ended', admit(before, [bound], { now: NOW + 10 * HOUR }).ledger, 10],
      ['was evicted', admit(before, [bound], { spec: { shares: 0, evict: true } }).ledger, 0],
      ['was moved', admit(before, [moved]).ledger, 0],
    ];
    for (const [what, ledger, hours] of over) {
      assert.equal(entryOf(ledger)!.grant, undefined, what);
      const window = { end: at(20) };
      const later = { now: NOW + hours * HOUR };
      refused(admit(ledger, [edited(rebound, { window })], later).ledger);
      assert.ok(entryOf(admit(ledger, [edited(bound, { window })], later).ledger)!.grant, what);
    }
    // all in one pass
    refused(admit(before, [edited(rebound, { window: { end: at(20) } })], { now: NOW + 10 * HOUR }).ledger);
  });

  it('stays so when its Node is registered anew', () => {
    const anew = { ...NODE, uid: 'another-uid' };
    const { ledger } = admit(granted(bound), [rebound], { node: anew });
    assert.equal(entryOf(ledger)!.grant!.sliceName, 'measure', 'the old grant holds');
    assert.match(entryOf(ledger)!.refusal!.message, /^it is bound to slice measure and stays so/);
    const full = { node: anew, spec: { shares: 0 } };
    const denied = admit(granted(bound), [bound], full).ledger;
    assert.equal(entryOf(denied)!.refusal!.reason, 'InsufficientShares');
    refused(admit(denied, [rebound], { node: anew }).ledger);
    assert.ok(entryOf(admit(denied, [edited(bound, {})], { node: anew }).ledger)!.grant);
  });

  it('stays so when it takes another right over', () => {
    const [one, other] = ['a1'.repeat(32), 'b2'.repeat(32)];
    const owners = [right('x', shares(10)), right('y', shares(20))];
    const offered = owners.map((owner, i) => offering(owner, [one, other][i]!));
    const taker = redeeming('a', one, { sliceName: 'measure' });
    const first = admit(admit(granted(...owners), offered).ledger, [...offered, taker]).ledger;
    const unseen = admit(first, offered).ledger;
    const second = edited(taker, { sliceName: 'other' });
    second.status = { redeemDigest: other, redeemGeneration: second.metadata.generation! };
    refused(admit(unseen, [...offered, second]).ledger);
    assert.ok(entryOf(admit(unseen, [...offered, second]).ledger, 'y')!.grant, 'nobody loses anything by it');
  });

  it('is known from the file after a restart, and while the API server is not heard', () => {
    const { ledger } = admit(granted(bound), []);
    const file = (of: unknown): string => JSON.stringify({ version: 1, ...EMPTY_STATE, ledger: of });
    const read = parseCheckpoint(file(ledger)).ledger;
    const deaf = admit(read, undefined, { now: NOW + HOUR }).ledger;
    refused(admit(deaf, [rebound]).ledger);
    assert.throws(() => parseCheckpoint(file({ ...ledger, bindings: 'x' })), /bound/);
    const { bindings: _, ...older } = ledger;
    assert.equal(parseCheckpoint(file(older)).ledger.bindings, undefined);
  });

  it('is remembered of as many as are bounded when they are not seen any more: the newest, and all that are seen', () => {
    const of = (namespace: string, time: number) => ({
      uid: `${namespace}${time}`,
      namespace,
      sliceName: 'measure',
      time,
    });
    const many = Array.from({ length: 300 }, (_, i) => of('team', i));
    const kept = keptBindings([...many, of('lab', 0)], new Map(), (uid) => uid === 'team0');
    const uids = new Set(kept.map(({ uid }) => uid));
    assert.equal(uids.size, 202);
    for (const uid of ['team0', 'team100', 'team299', 'lab0']) assert.ok(uids.has(uid), uid);
    assert.ok(!uids.has('team1'));
    const all = Array.from({ length: 2200 }, (_, i) => of(`ns${i % 20}`, i));
    assert.equal(keptBindings(all, new Map(), () => false).length, 2000);
  });

  it('is no matter where it never was: a right is bound when its holder likes', () => {
    const free: ResourceCapability = right('a', shares(10), { sliceName: undefined });
    const { ledger } = admit(admit(granted(free), []).ledger, [edited(free, { sliceName: 'other' })]);
    assert.equal(entryOf(ledger)!.grant!.sliceName, 'other');
    assert.equal(boundBefore([], granted(free).entries, new Map(), NOW).size, 0);
    assert.equal(admit(EMPTY_LEDGER, []).ledger.bindings, undefined);
  });
});
