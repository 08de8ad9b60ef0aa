import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ResourceCapability } from '../../crds/types.ts';
import { EMPTY_LEDGER, type Entry, type Ledger } from '../../node-daemonset/admission/ledger.ts';
import { lineageOf } from '../../node-daemonset/admission/split.ts';
import { EMPTY_STATE, type NodeState } from '../../node-daemonset/checkpoint.ts';
import { holdsOf, suspendersOf, suspensionsBy } from '../../node-daemonset/restraint.ts';
import { PENALTY_MS, planStandings, whyNot } from '../../node-daemonset/standing.ts';
import { hearSuspended, suspensionsIn, WORDS_MS } from '../../node-daemonset/suspension.ts';
import { admit, edited, granted, NODE, NOW, offering, pod, redeeming, right, shares } from './rights.ts';

const WHY = { reason: 'probes our customers', contact: 'ops@broker.example' };
const DIGEST = 'a'.repeat(64);
const EARLY = { creationTimestamp: '2026-09-01T00:00:00Z' };

describe('rights whose holders suspend what runs by them', () => {
  const whole = right('whole', shares(200), { sliceName: '' }, { namespace: 'broker', ...EARLY });
  const part = right('part', shares(100), { sliceName: '', from: 'right-whole' }, { namespace: 'broker' });
  const beside = right('beside', shares(100));
  const given = redeeming('given', DIGEST, { sliceName: 'measure' });
  const rest = [whole, beside];

  /** The books after the part was handed over. */
  const handedOver = (): Ledger => {
    const first = granted(whole, offering(part, DIGEST), beside);
    return admit(first, [whole, offering(part, DIGEST), beside, given]).ledger;
  };
  const storeOf = (before: NodeState) => {
    let state = before;
    return { get: () => state, accept: (change: Partial<NodeState>) => void (state = { ...state, ...change }) };
  };
  const hear = (ledger: Ledger, rcaps: readonly ResourceCapability[] | undefined, before: Partial<NodeState> = {}) => {
    const store = storeOf({ ...EMPTY_STATE, ...before, ledger });
    hearSuspended(store, rcaps, NOW);
    return store.get();
  };
  const suspendedIn = (state: NodeState): string[] => {
    const holds = holdsOf(state);
    return state.ledger.entries
      .filter(
        (entry) =>
          entry.grant &&
          whyNot({ ...entry, grant: { ...entry.grant, sliceName: 's' } }, [], NOW, holds) === 'Suspended',
      )
      .map(({ uid }) => uid);
  };

  it('are heard where they are granted: theirs and every part is held, whoever has it, and nobody else’s', () => {
    const ledger = handedOver();
    assert.equal(ledger.entries.find(({ uid }) => uid === 'given')!.grant!.parent, 'whole');
    assert.deepEqual(suspendedIn(hear(ledger, [...rest, given])), []);
    const state = hear(ledger, [edited(whole, { suspended: WHY }), beside, given]);
    assert.deepEqual(suspendedIn(state).sort(), ['given', 'whole']);
    const holds = holdsOf(state);
    assert.deepEqual(suspensionsBy(holds).get('given'), [{ right: 'broker/right-whole', ...WHY }]);
    assert.deepEqual(suspendersOf(holds, { namespace: 'lab', slice: 'measure', uid: 'given' }), [
      'the holder of right broker/right-whole (ops@broker.example): probes our customers',
    ]);
    assert.deepEqual(suspendersOf(holds, { namespace: 'team', slice: 'measure', uid: 'beside' }), []);
    assert.deepEqual(suspendedIn(hear(ledger, [...rest, given], state)), [], 'lifting frees all');
  });

  it('hold what was said last while the API server is away', () => {
    const ledger = handedOver();
    const state = hear(ledger, [edited(whole, { suspended: WHY }), beside, given]);
    assert.deepEqual(suspendedIn(hear(ledger, undefined, state)).sort(), ['given', 'whole']);
  });

  it('have no say before they are granted, or after they passed to another', () => {
    const refused = right('refused', shares(2000), { suspended: WHY });
    assert.deepEqual(hear(granted(refused), [refused]).suspended, []);
    const says = edited(offering(part, DIGEST), { suspended: WHY });
    const first = granted(whole, says, beside);
    assert.deepEqual(suspendedIn(hear(first, [...rest, says])), ['part']);
    const passed = admit(first, [...rest, says, given]).ledger;
    assert.deepEqual(hear(passed, [...rest, says, given]).suspended, []);
    assert.deepEqual(suspendedIn(hear(passed, [...rest, says, given])), []);
  });

  it('are each named, outermost first; a part’s holder frees nobody from the whole’s', () => {
    const ledger = handedOver();
    const own = { reason: 'of its own' };
    const both = hear(ledger, [edited(whole, { suspended: WHY }), edited(given, { suspended: own })]);
    assert.deepEqual(
      suspensionsBy(holdsOf(both))
        .get('given')!
        .map(({ right: name }) => name),
      ['broker/right-whole', 'lab/right-given'],
    );
    const one = hear(ledger, [edited(whole, { suspended: WHY }), given]);
    assert.deepEqual(suspendedIn(one).sort(), ['given', 'whole']);
  });

  it('hold parts of parts, and no more when they are released', () => {
    const ledger = handedOver();
    const deep = right('deep', shares(10), { sliceName: 's', from: 'right-given' }, { namespace: 'lab' });
    const says = edited(whole, { suspended: WHY });
    const split = admit(ledger, [says, beside, given, deep]).ledger;
    const state = hear(split, [says, beside, given, deep]);
    assert.deepEqual(suspendedIn(state).sort(), ['deep', 'given', 'whole']);
    const released = admit(split, [beside, given, deep]).ledger;
    assert.deepEqual(suspendedIn(hear(released, [beside, given, deep], state)), []);
    assert.deepEqual(suspendedIn(hear(released, undefined, state)), [], 'nor before the next word of the API server');
  });

  it('hold also where the ledger was lost: the line of descent is taken back from what the node told', () => {
    const told = (rcap: ResourceCapability, count: number, from?: string): ResourceCapability => {
      const granted = { nodeUID: NODE.uid, observedGeneration: rcap.metadata.generation!, resources: shares(count) };
      const { sliceName } = rcap.spec;
      return {
        ...rcap,
        status: { ...rcap.status, granted: { ...granted, ...(sliceName && { sliceName }), ...(from && { from }) } },
      };
    };
    const says = told(edited(whole, { suspended: WHY }), 200);
    const rcaps = [told(given, 100, 'broker/right-whole'), told(beside, 100), says];
    const { ledger } = admit(EMPTY_LEDGER, rcaps);
    assert.deepEqual(suspendedIn(hear(ledger, rcaps)).sort(), ['given', 'whole']);
  });

  it('hold what is below them, and nothing else, in any tree and any order of the books', () => {
    const trees = fc.array(fc.record({ parent: fc.nat(20), says: fc.boolean(), isGranted: fc.boolean() }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(trees, fc.infiniteStream(fc.nat()), (tree, order) => {
        const grant = granted(beside).entries[0]!.grant!;
        const entries = tree.map(({ parent, isGranted }, i): Entry => {
          const held = parent < i ? { ...grant, parent: `u${parent}` } : grant;
          return { uid: `u${i}`, namespace: 'n', name: `r${i}`, ...(isGranted && { grant: held }) };
        });
        const mixed = entries.map((entry) => ({ entry, key: order.next().value as number }));
        mixed.sort((a, b) => a.key - b.key);
        const ledger = { ...EMPTY_LEDGER, entries: mixed.map(({ entry }) => entry) };
        const said = tree.flatMap(({ says }, i) => (says ? [{ uid: `u${i}`, reason: 'x' }] : []));
        const found = suspensionsIn(ledger, said);
        const byUid = new Map(entries.map((entry) => [entry.uid, entry]));
        for (const entry of entries) {
          const line = lineageOf(byUid, entry).toReversed();
          const by = line
            .filter((one) => one.grant && said.some(({ uid }) => uid === one.uid))
            .map(({ name }) => `n/${name}`);
          assert.deepEqual(
            (found.get(entry.uid) ?? []).map((one) => one.right),
            by.slice(0, 8),
          );
        }
      }),
    );
  });

  it('hold whatever the server let pass, and no text is kept beyond its bound', () => {
    const odd: unknown[] = [
      {},
      { reason: 7, contact: [] },
      { reason: 'x'.repeat(9999), contact: 'y'.repeat(9999) },
      { reason: `x${'\u{1f600}'.repeat(511)}` },
      null,
    ];
    const rights = odd.map((suspended, i) => right(`r${i}`, shares(10), { suspended: suspended as typeof WHY }));
    const { suspended } = hear(granted(...rights.map((one) => edited(one, { suspended: WHY }))), rights);
    assert.deepEqual(
      suspended.map(({ uid, reason, contact }) => [
        uid,
        reason.length < 513 && reason.isWellFormed(),
        contact === undefined || contact.length < 255,
      ]),
      ['r0', 'r1', 'r2', 'r3'].map((uid) => [uid, true, true]),
    );
  });

  it('are written down once, in whatever order they are heard', () => {
    const rights = ['a', 'b', 'c'].map((uid) => right(uid, shares(10), { suspended: WHY }));
    const first = hear(granted(...rights), rights);
    assert.equal(first.suspended.length, 3);
    assert.equal(hear(first.ledger, rights.toReversed(), first).suspended, first.suspended);
  });

  describe('and edit the words of it without end', () => {
    const rights = ['a', 'b'].map((uid) => right(uid, shares(10)));
    const says = (...reasons: (string | undefined)[]): ResourceCapability[] =>
      reasons.map((reason, i) => edited(rights[i]!, reason === undefined ? {} : { suspended: { ...WHY, reason } }));
    const start = () => {
      const store = storeOf({ ...EMPTY_STATE, ledger: granted(...rights) });
      let writes = 0;
      const counted = { ...store, accept: (change: Partial<NodeState>) => (writes++, store.accept(change)) };
      return {
        hear: (now: number, ...reasons: (string | undefined)[]) => hearSuspended(counted, says(...reasons), now),
        reasons: () => store.get().suspended.map(({ uid, reason }) => `${uid} ${reason}`),
        writes: () => writes,
      };
    };

    it('are heard once in some seconds, all together, and the last words always', () => {
      const { hear: at, reasons, writes } = start();
      at(NOW, 'x', 'y');
      assert.equal(at(NOW + 1, 'x1', 'y'), undefined);
      assert.deepEqual(reasons(), ['a x1', 'b y'], 'the first edit at once');
      const due = NOW + 1 + WORDS_MS;
      for (let i = 2; i < 1000; i++) assert.equal(at(NOW + i, `x${i}`, `y${i}`), due);
      assert.deepEqual([reasons(), writes()], [['a x1', 'b y'], 2]);
      assert.equal(at(due, 'last', 'words'), undefined, 'the pass that was asked for');
      assert.deepEqual([reasons(), writes()], [['a last', 'b words'], 3]);
      assert.equal(at(due + 1, 'last', 'words'), undefined);
      assert.equal(writes(), 3);
    });

    it('are heard at once where they begin to suspend, or end it, whoever edits meanwhile', () => {
      const { hear: at, reasons } = start();
      at(NOW, 'x', undefined);
      at(NOW + 1, 'x1', undefined);
      assert.equal(at(NOW + 2, 'x2', 'on'), NOW + 1 + WORDS_MS);
      assert.deepEqual(reasons(), ['a x1', 'b on']);
      at(NOW + 3, 'x3', undefined);
      assert.deepEqual(reasons(), ['a x1']);
      assert.equal(at(NOW + 4, undefined, undefined), undefined);
      assert.deepEqual(reasons(), []);
      at(NOW + 5, 'x5', undefined);
      assert.deepEqual(reasons(), ['a x5']);
    });

    it('put nobody’s words off by turning theirs on and off', () => {
      const { hear: at, reasons } = start();
      at(NOW, 'x', undefined);
      at(NOW + 1, 'x1', undefined);
      for (let i = 2; i < WORDS_MS; i++) at(NOW + i, 'x2', i % 2 ? 'on' : undefined);
      at(NOW + 1 + WORDS_MS, 'x2', undefined);
      assert.deepEqual(reasons(), ['a x2']);
    });

    it('are not put off by a clock that was set back', () => {
      const { hear: at, reasons } = start();
      at(NOW, 'x', 'y');
      at(NOW + 1, 'x1', 'y');
      at(NOW - 60_000, 'x2', 'y');
      assert.deepEqual(reasons(), ['a x2', 'b y']);
    });
  });

  it('freeze the sliver that runs by a part, and let it run again', () => {
    const ledger = handedOver();
    const holds = holdsOf(hear(ledger, [edited(whole, { suspended: WHY }), beside, given]));
    const pods = [pod('p', given)];
    const first = planStandings(pods, ledger, [], NOW, undefined, holds);
    assert.equal(first.slivers[0]!.standing, 'penalised');
    const later = (some: typeof holds) =>
      planStandings(first.pods, ledger, [], NOW + PENALTY_MS, undefined, some).slivers[0]!.standing;
    assert.equal(later(holds), 'frozen');
    assert.equal(later([]), 'entitled');
  });

  it('ask nothing of the node: no edit of it is refused, whatever the owner offers by now', () => {
    const ledger = handedOver();
    const spec = { namespaces: [{ name: 'broker', refused: true }] };
    const says = edited(whole, { suspended: WHY });
    const { ledger: after, decisions } = admit(ledger, [says, beside, given], { spec });
    assert.deepEqual(
      decisions.map(({ event, uid }) => `${event} ${uid}`),
      ['renewed whole'],
    );
    assert.equal(after.entries.find(({ uid }) => uid === 'whole')!.refusal, undefined);
    const more = edited(whole, { suspended: WHY, resources: shares(201) });
    const denied = admit(ledger, [more, beside, given], { spec });
    assert.equal(denied.decisions[0]!.reason, 'NamespaceRefused');
    assert.deepEqual(suspendedIn(hear(denied.ledger, [more, beside, given])).sort(), ['given', 'whole']);
  });
});
