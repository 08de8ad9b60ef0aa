/** What is wrong with a right, and what becomes of one that is edited, moved, over or gone. */
import assert from 'node:assert/strict';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import { admit, edited, granted, NOW, right, shares } from '../rights.ts';
import { at, type Case, DAY, grantOf, refusalOf, refuses } from './answers.ts';

const REFUSALS: Case[] = [
  {
    what: 'a window in the past',
    rcap: right('b', {}, { window: { end: at(-1) } }),
    reason: 'WindowPast',
    message: /ended at 2026-10-31T00:00:00Z/,
  },
  {
    what: 'a window that meets a blackout',
    rcap: right('b'),
    change: { spec: { blackouts: [{ start: at(2), end: at(3), reason: 'new disks' }] } },
    reason: 'Blackout',
    message: /from 2026-11-03T00:00:00Z until 2026-11-04T00:00:00Z \(new disks\)/,
  },
  {
    what: 'a window that ends before it starts',
    rcap: right('b', {}, { window: { start: at(2), end: at(1) } }),
    reason: 'InvalidSpec',
    message: /spec.window/,
  },
  { what: '0 shares', rcap: right('b', shares(0)), reason: 'InvalidSpec', message: /spec.resources.cpu.shares/ },
  { what: '1001 shares', rcap: right('b', shares(1001)), reason: 'InvalidSpec', message: /spec.resources.cpu.shares/ },
  {
    what: 'a guarantee above the limit',
    rcap: right('b', { egress: { guarantee: '2M', limit: '1M' } }),
    reason: 'InvalidSpec',
    message: /guarantee must not exceed/,
  },
  {
    what: 'another node',
    rcap: right('b', {}, { nodeName: 'node2' }),
    reason: 'WrongNode',
    message: /asks for node node2 .*: correct the label slice-operator.io\/node, or delete it/,
  },
  {
    what: 'this node with the label of another',
    rcap: right('b', {}, {}, { labels: { 'slice-operator.io/node': 'node2' } }),
    reason: 'WrongNode',
    message: /the label slice-operator.io\/node must be node1/,
  },
];

describe('admission', () => {
  refuses(REFUSALS);

  it('keeps a refusal for its generation, whatever becomes free', () => {
    const [held, late] = [right('a', shares(900)), right('b', shares(100))];
    const full = admit(granted(held), [held, late]).ledger;
    const { ledger } = admit(full, [late]);
    assert.equal(refusalOf(ledger, 'b').reason, 'InsufficientShares');
    const anew = admit(ledger, [edited(late, { contact: 'noc@example.org' })]);
    assert.ok(grantOf(anew.ledger, 'b'));
  });

  it('renews where the edit fits, and keeps the old grant where it does not', () => {
    const [a, b] = [right('a', shares(400)), right('b', shares(400))];
    const larger = edited(a, { resources: shares(500) });
    const renewed = admit(granted(a, b), [larger, b]);
    assert.equal(grantOf(renewed.ledger, 'a').amounts.shares, 500);
    assert.equal(renewed.decisions[0]!.event, 'renewed');
    const tooLarge = edited(larger, { resources: shares(501) });
    const refused = admit(renewed.ledger, [tooLarge, b]);
    assert.equal(grantOf(refused.ledger, 'a').amounts.shares, 500);
    assert.equal(refusalOf(refused.ledger, 'a').reason, 'InsufficientShares');
    assert.equal(refused.decisions[0]!.event, 'resizeDenied');
    assert.deepEqual(admit(refused.ledger, [tooLarge, b]).decisions, []);
  });

  it('binds once', () => {
    const unbound = right('a', {}, { sliceName: undefined });
    const bound = edited(unbound, { sliceName: 'one' });
    const ledger = admit(granted(unbound), [bound]).ledger;
    assert.equal(grantOf(ledger, 'a').sliceName, 'one');
    for (const sliceName of ['two', undefined]) {
      const after = admit(ledger, [edited(bound, { sliceName })]).ledger;
      assert.equal(grantOf(after, 'a').sliceName, 'one');
      assert.match(refusalOf(after, 'a').message, /bound to slice one/);
    }
  });

  it('gives up a right that was moved to another node', () => {
    const rcap = right('a', shares(900));
    const moved = edited(rcap, { nodeName: 'node2' });
    const { ledger } = admit(granted(rcap), [moved]);
    assert.equal(ledger.entries[0]!.grant, undefined);
    assert.equal(refusalOf(ledger, 'a').reason, 'WrongNode');
    assert.ok(grantOf(admit(ledger, [moved, right('b', shares(900))]).ledger, 'b'), 'its shares are free again');
  });

  it('refuses a right that another node granted and that was moved here', () => {
    const resources = { cpu: { shares: 1 } };
    const status = { granted: { nodeUID: 'another', observedGeneration: 1, resources } };
    const moved = { ...edited(right('a'), {}), status };
    assert.equal(refusalOf(admit(EMPTY_LEDGER, [moved]).ledger, 'a').reason, 'WrongNode');
    const registeredAnew = { ...right('a'), status };
    assert.ok(grantOf(admit(EMPTY_LEDGER, [registeredAnew]).ledger, 'a'));
  });

  it('expires by time alone, without the API server', () => {
    const rcap = right('a', shares(900), { window: { end: at(1) } });
    const { ledger, decisions } = admit(granted(rcap), undefined, { now: NOW + DAY });
    assert.equal(refusalOf(ledger, 'a').reason, 'Expired');
    assert.equal(decisions[0]!.event, 'expired');
    const longer = edited(rcap, { window: { end: at(9) } });
    assert.ok(grantOf(admit(ledger, [longer], { now: NOW + DAY }).ledger, 'a'));
  });

  it('releases what was deleted, but nothing before it has heard of all', () => {
    const before = granted(right('a', shares(900)));
    assert.equal(admit(before, undefined).ledger, before);
    const { ledger, decisions } = admit(before, []);
    assert.deepEqual(ledger.entries, []);
    assert.equal(decisions[0]!.event, 'released');
  });

  it('takes the same name with another uid for another right', () => {
    const again = right('b', shares(900), {}, { name: 'right-a' });
    const { ledger } = admit(granted(right('a', shares(900))), [again]);
    assert.deepEqual(
      ledger.entries.map(({ uid, grant }) => [uid, grant?.amounts.shares]),
      [['b', 900]],
    );
  });

  it('decides nothing while the Node or its policy is unknown', () => {
    for (const change of [{ node: undefined }, { policy: undefined }]) {
      assert.deepEqual(admit(EMPTY_LEDGER, [right('a')], change).ledger.entries, []);
    }
  });

  it('asks nobody to be granted who is being deleted', () => {
    const rcap = right('a', {}, {}, { deletionTimestamp: '2026-10-31T00:00:00Z' });
    assert.equal(admit(EMPTY_LEDGER, [rcap]).decisions.length, 0);
    assert.ok(grantOf(admit(granted(right('a')), [rcap]).ledger, 'a'), 'what is granted holds until it is gone');
  });
});
