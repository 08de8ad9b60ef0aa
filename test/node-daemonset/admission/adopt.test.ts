/** What a node takes back from its rcaps' statuses when its ledger is lost. */
import assert from 'node:assert/strict';
import type { ResourceCapability, Rspec, SliceNodeSpec } from '../../../crds/types.ts';
import { beyondIn } from '../../../node-daemonset/admission/beyond.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { admit, edited, granted, NODE, NOW, offering, redeeming, right, shares, statusIn } from '../rights.ts';

const DIGEST = 'a'.repeat(64);
const EARLY = { creationTimestamp: '2026-09-01T00:00:00Z' };

const told = (ledger: Ledger, rcaps: readonly ResourceCapability[]): ResourceCapability[] =>
  rcaps.map(statusIn(ledger));
const heldIn = (ledger: Ledger): Record<string, string | undefined> =>
  Object.fromEntries(ledger.entries.flatMap(({ uid, grant }) => (grant ? [[uid, grant.parent]] : [])));

describe('a node that lost its ledger', () => {
  const whole = right('whole', shares(200), { sliceName: '' }, { namespace: 'broker', ...EARLY });
  const part = offering(right('part', shares(100), { from: 'right-whole' }, { namespace: 'broker' }), DIGEST);
  const given = redeeming('given', DIGEST, { sliceName: 'measure' });
  const asPromised = { given: 'whole', whole: undefined };

  /** A part of the broker's right was handed over. */
  const handedOver = (wholes: Rspec = {}, parts: Rspec = {}) => {
    const [all, one] = [whole, part].map((rcap, i) =>
      edited(rcap, { resources: { ...rcap.spec.resources, ...[wholes, parts][i] } }),
    );
    const rcaps = [all!, one!, given];
    const { ledger } = admit(granted(all!, one!), rcaps);
    assert.deepEqual(heldIn(ledger), asPromised);
    return { ledger, rcaps: told(ledger, rcaps) };
  };

  const later: [string, SliceNodeSpec][] = [
    ['a smaller budget', { budget: { shares: 150, pending: 100 } }],
    ['no pending rights', { budget: { pending: 0 } }],
    ['a refusal', { namespaces: [{ name: 'broker', refused: true }] }],
    ['fewer shares', { shares: 150 }],
    ['less egress', { egressLimit: '1k' }],
    ['fewer pods', { pods: 1 }],
    ['a reserve for others', { reserved: { percent: 90, namespaces: ['shop'] } }],
    ['a blackout', { blackouts: [{ start: '2026-11-02T00:00:00Z', end: '2026-11-03T00:00:00Z' }] }],
  ];
  for (const [what, spec] of later) {
    it(`takes back what it promised, whatever its owner says by now: ${what}`, () => {
      const { ledger } = admit(EMPTY_LEDGER, handedOver().rcaps, { spec });
      assert.deepEqual(heldIn(ledger), asPromised);
    });
  }

  it('takes back ports, privileges and networks that are not offered any more', () => {
    const port = { protocol: 'TCP' as const, port: 8080 };
    const rcap = right('a', { network: 'Host', ports: [port], privileges: ['RawSockets'] });
    const before = admit(EMPTY_LEDGER, [rcap], { spec: { hostNetwork: true } }).ledger;
    const spec = { ports: [], privileges: [], budget: { ports: 0 } };
    assert.deepEqual(heldIn(admit(EMPTY_LEDGER, told(before, [rcap]), { spec }).ledger), { a: undefined });
  });

  it('takes them back whatever other pods request, and however slow its line is by now', () => {
    const now = { otherRequests: NODE.cpuMilli, lineRate: 1000 };
    assert.deepEqual(heldIn(admit(EMPTY_LEDGER, handedOver().rcaps, now).ledger), asPromised);
  });

  it('grants nothing new in the place of what it took back', () => {
    const { rcaps } = handedOver();
    const spec = { shares: 150 };
    const { decisions } = admit(EMPTY_LEDGER, [...rcaps, right('new', shares(1))], { spec });
    assert.deepEqual(
      decisions.map(({ uid, reason }) => [uid, reason]),
      [
        ['whole', 'Recovered'],
        ['given', 'Recovered'],
        ['new', 'InsufficientShares'],
      ],
    );
  });

  it('names what the policy would not grant, also where it was looked at before that was known', () => {
    const policy = policyOf({ budget: { shares: 150 } });
    assert.deepEqual(beyondIn(EMPTY_LEDGER, policy, NODE, NOW), []);
    const { ledger } = admit(EMPTY_LEDGER, handedOver().rcaps, { policy });
    assert.deepEqual(
      beyondIn(ledger, policy, NODE, NOW).map(({ entry, reason }) => [entry.uid, reason]),
      [['whole', 'InsufficientShares']],
    );
  });

  it('evicts of that what the owner wants gone, in the same pass, and remembers what it was bound to', () => {
    const bound = right('bound', shares(200));
    const rcaps = told(granted(bound), [bound]);
    const spec = { shares: 150, evict: true };
    const { ledger, decisions } = admit(EMPTY_LEDGER, rcaps, { spec });
    assert.deepEqual(
      decisions.map(({ event }) => event),
      ['granted', 'evicted'],
    );
    const other = edited(rcaps[0]!, { sliceName: 'other', resources: shares(1) });
    assert.equal(admit(ledger, [other], { spec }).decisions[0]!.reason, 'InvalidSpec');
  });

  it('takes back no more than the node has, and nothing of the node itself', () => {
    const both = ['a', 'b'].map((uid) => right(uid, shares(501)));
    const claims = both.flatMap((rcap) => told(granted(rcap), [rcap]));
    assert.deepEqual(heldIn(admit(EMPTY_LEDGER, claims).ledger), { a: undefined });
    const kubelet = right('a', { ports: [{ protocol: 'TCP', port: 10250 }] });
    const { entries } = granted(right('a', { ports: [{ protocol: 'TCP', port: 8080 }] }));
    const grant = {
      ...entries[0]!.grant!,
      amounts: { ...entries[0]!.grant!.amounts, ports: kubelet.spec.resources!.ports! },
    };
    const forged = told({ ...EMPTY_LEDGER, entries: [{ ...entries[0]!, grant }] }, [kubelet]);
    assert.deepEqual(heldIn(admit(EMPTY_LEDGER, forged).ledger), {});
  });

  describe('and can’t take back a right', () => {
    const small = { ...NODE, memory: 2 ** 29 };
    const little = { memory: '1Mi' };
    const lean = { ...shares(200), egress: { guarantee: '1M' } };
    const handedOverOfMuch = () => handedOver({ ...lean, memory: '1Gi' }, little);

    it('frees none of its parts of whoever holds it', () => {
      const { rcaps } = handedOverOfMuch();
      const { ledger, decisions } = admit(EMPTY_LEDGER, rcaps, { node: small });
      assert.deepEqual(heldIn(ledger), {});
      assert.deepEqual(
        decisions.map(({ event, uid, reason }) => [event, uid, reason]),
        [
          ['denied', 'whole', 'InsufficientMemory'],
          ['denied', 'given', 'NotRedeemable'],
        ],
      );
    });

    it('frees no part of a part either, and asks anew whoever split it from what is granted anew', () => {
      const { ledger: before, rcaps } = handedOverOfMuch();
      const deep = right('deep', { ...shares(10), ...little }, { from: 'right-given' }, { namespace: 'lab' });
      const near = right('near', { ...shares(10), ...little }, { from: 'right-whole' }, { namespace: 'broker' });
      const all = told(admit(before, [...rcaps, deep, near]).ledger, [...rcaps, deep, near]);
      assert.equal(all[3]!.status!.granted!.from, 'lab/right-given');
      const { ledger } = admit(EMPTY_LEDGER, all, { node: small });
      assert.deepEqual(heldIn(ledger), {});
      const less = edited(all[0]!, { resources: { ...lean, memory: '256Mi' } });
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, [less, ...all.slice(1)], { node: small }).ledger), {
        whole: undefined,
        near: 'whole',
      });
    });

    it('lets its parts go on where it was given up: deleted, or moved away', () => {
      const { rcaps } = handedOver();
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, rcaps.slice(1)).ledger), { given: undefined });
      const moved = edited(rcaps[0]!, { nodeName: 'node2' });
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, [moved, ...rcaps.slice(1)]).ledger), { given: undefined });
    });
  });
});
