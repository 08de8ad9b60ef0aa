import assert from 'node:assert/strict';
import { MAX_LOCAL_RIGHTS } from '../../../crds/localrequest.ts';
import { LABEL_LOCAL, LABEL_NODE } from '../../../crds/names.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { budgetOf, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { admit, edited, offering, redeeming, right, shares } from '../rights.ts';

/** As an owner has it who says nothing. */
const policy = policyOf({});
const { pending } = budgetOf(policy, 'team');
const VALUE = 'a1'.repeat(32);
const entryOf = (ledger: Ledger, uid: string) => ledger.entries.find((entry) => entry.uid === uid);

/** What nobody can grant, asked for by a sliver of the slice; without one, by whoever may make rcaps. */
function junk(count: number, slice?: string): ResourceCapability[] {
  const labels = { [LABEL_NODE]: 'node1', ...(slice && { [LABEL_LOCAL]: slice }) };
  return Array.from({ length: count }, (_, i) =>
    right(`${slice ?? 'junk'}-${i}`, shares(1000), { sliceName: undefined }, { labels }),
  );
}

describe('the budget of what a namespace asks for in vain', () => {
  const web = right('web', shares(100), {}, { creationTimestamp: '2026-09-01T00:00:00Z' });
  const refusal = (rcaps: ResourceCapability[], uid: string, before: Ledger = EMPTY_LEDGER) =>
    entryOf(admit(before, rcaps, { policy }).ledger, uid)?.refusal?.message;

  it('is not about who has a right: he renews it, and nobody is kept from taking one over', () => {
    const all = [offering(web, VALUE), ...junk(pending)];
    const { ledger } = admit(EMPTY_LEDGER, all, { policy });
    assert.match(refusal([...all, right('new')], 'new', ledger)!, /team has 100 rights here that were not granted/);
    for (const count of [50, 150]) {
      const renewed = edited(all[0]!, { resources: shares(count) });
      const after = admit(ledger, [renewed, ...all.slice(1)], { policy }).ledger;
      assert.deepEqual(
        [entryOf(after, 'web')!.grant!.amounts.shares, entryOf(after, 'web')!.refusal],
        [count, undefined],
      );
    }
    const taker = redeeming('taker', VALUE, {}, { namespace: 'team' });
    assert.ok(entryOf(admit(ledger, [...all, taker], { policy }).ledger, 'taker')!.grant);
  });

  it('is not filled for others by what a sliver asks for over the local API', () => {
    assert.ok(MAX_LOCAL_RIGHTS <= pending / 2);
    const all = [web, ...junk(MAX_LOCAL_RIGHTS, 'broker')];
    const { ledger } = admit(EMPTY_LEDGER, all, { policy });
    const { labels } = junk(1, 'another')[0]!.metadata;
    for (const asked of [right('new'), right('new', {}, {}, { labels: labels! })]) {
      assert.ok(entryOf(admit(ledger, [...all, asked], { policy }).ledger, 'new')!.grant);
    }
    // no more than a tenth of it, however many there are
    const most = [...all, ...junk(89), ...junk(60, 'broker').slice(50)];
    assert.equal(refusal([...most, right('new')], 'new'), undefined);
    assert.match(refusal([...most, ...junk(90).slice(89), right('new')], 'new')!, /has 100 rights/);
  });

  it('is one sliver’s own to fill, and many slivers’ together', () => {
    const last = right('last', {}, {}, { labels: junk(1, 'broker')[0]!.metadata.labels! });
    assert.match(refusal([...junk(pending, 'broker'), last], 'last')!, /has 100 rights/);
    assert.equal(refusal([...junk(pending - 1, 'broker'), last], 'last'), undefined);
    const many = Array.from({ length: 10 }, (_, i) => junk(10, `broker-${i}`)).flat();
    assert.match(refusal([...many, right('new')], 'new')!, /has 100 rights/);
    assert.equal(refusal([...many.slice(1), right('new')], 'new'), undefined);
  });
});
