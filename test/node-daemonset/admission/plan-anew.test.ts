/** What a node goes by when it was registered anew, or its ledger is lost. */
import assert from 'node:assert/strict';
import type { Condition, ResourceCapability } from '../../../crds/types.ts';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import { admit, edited, NODE, right, shares } from '../rights.ts';
import { grantOf, refusalOf } from './answers.ts';

describe('admission', () => {
  it('grants everything anew when the Node was registered anew', () => {
    const rcaps = [right('a', shares(300)), right('b', shares(300))];
    const before = admit(EMPTY_LEDGER, rcaps).ledger;
    const { ledger, decisions } = admit(before, rcaps, { node: { ...NODE, uid: 'other' } });
    assert.equal(ledger.nodeUID, 'other');
    assert.deepEqual(ledger.formerNodeUIDs, ['node-uid']);
    assert.deepEqual(
      decisions.map(({ event }) => event),
      ['released', 'released', 'granted', 'granted'],
    );
  });

  it('refuses what it had refused until it is edited, also when the ledger is lost', () => {
    const lastTransitionTime = '2026-10-01T00:00:00Z';
    const said = { type: 'Granted', status: 'False', reason: 'InsufficientShares', message: 'no', lastTransitionTime };
    const refused: ResourceCapability = {
      ...right('a', shares(10)),
      status: { observedGeneration: 1, conditions: [said as Condition] },
    };
    assert.deepEqual(admit(EMPTY_LEDGER, [refused]).decisions, []);
    assert.deepEqual(
      admit(EMPTY_LEDGER, [edited(refused, {})]).decisions.map(({ event }) => event),
      ['granted'],
    );
  });

  it('rebuilds a lost ledger from its own statuses, never beyond what fits', () => {
    const status = (count: number): ResourceCapability['status'] => ({
      granted: { nodeUID: NODE.uid, observedGeneration: 1, sliceName: 'measure', resources: shares(count) },
    });
    const earlier = right('new', shares(900), {}, { namespace: 'lab', creationTimestamp: '2026-01-01T00:00:00Z' });
    const kept = { ...edited(right('kept', shares(500)), { resources: shares(901) }), status: status(500) };
    const forged = {
      ...right('later', shares(1), {}, { creationTimestamp: '2026-10-02T00:00:00Z' }),
      status: status(800),
    };
    const { ledger } = admit(EMPTY_LEDGER, [earlier, forged, kept]);
    assert.equal(grantOf(ledger, 'kept').amounts.shares, 500, 'what was granted goes before older questions');
    assert.equal(refusalOf(ledger, 'kept').reason, 'InsufficientShares', 'its edit is judged after that');
    assert.equal(refusalOf(ledger, 'new').reason, 'InsufficientShares');
    assert.equal(grantOf(ledger, 'later').amounts.shares, 1, 'a status that does not fit proves nothing');
  });

  it('believes a status only while the ledger is new, and only what can be that of this very rcap', () => {
    const status = (
      generation: number,
      resources = shares(5),
      sliceName = 'measure',
    ): ResourceCapability['status'] => ({
      granted: { nodeUID: NODE.uid, observedGeneration: generation, sliceName, resources },
    });
    const own = { ...right('own', shares(5)), status: status(1) };
    const newer = { ...right('newer', shares(7)), status: status(2) };
    const other = { ...right('other', shares(7)), status: status(1) };
    const bound = { ...right('bound', shares(5)), status: status(1, shares(5), 'another') };
    const { ledger, decisions } = admit(EMPTY_LEDGER, [own, newer, other, bound]);
    assert.deepEqual(
      decisions.flatMap(({ uid, reason }) => (reason === 'Recovered' ? [uid] : [])),
      ['own'],
    );
    assert.equal(grantOf(ledger, 'other').amounts.shares, 7);
    const late = { ...edited(right('late', shares(7)), {}), status: status(1) };
    assert.equal(grantOf(admit(ledger, [own, newer, other, bound, late]).ledger, 'late').amounts.shares, 7);
  });
});
