import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../crds/rspec.ts';
import { type Entry, peak } from '../../../node-daemonset/admission/ledger.ts';
import { Register } from '../../../node-daemonset/admission/register.ts';
import { heldBy, under } from '../../../node-daemonset/admission/split.ts';

const ALWAYS = { start: undefined, end: undefined };

function entry(uid: string, shares: number, port: number, parent?: string): Entry {
  const of = amounts({ cpu: { shares }, ports: [{ protocol: 'TCP', port }] });
  const time = { generation: 1, contact: '', sliceName: undefined, period: ALWAYS, time: 0 };
  return { uid, namespace: 'team', name: uid, grant: { ...time, amounts: of, ...(parent && { parent }) } };
}

describe('the register of a pass', () => {
  const names = (entries: readonly Entry[]) => entries.map(({ uid }) => uid);
  const register = () => new Register([entry('a', 10, 80), entry('b', 20, 81), entry('part', 5, 81, 'b')]);

  it('finds what is in a namespace, is part of another, or has a port', () => {
    assert.deepEqual(names(register().inNamespace('team')), ['a', 'b', 'part']);
    assert.deepEqual(names(register().inNamespace('lab')), []);
    assert.deepEqual(names(register().partsOf('b')), ['part']);
    assert.deepEqual(names(register().withPort('TCP 81')), ['b', 'part']);
  });

  it('forgets what an entry was when it changes, and keeps its place', () => {
    const books = register();
    books.set('a', { ...entry('a', 1, 82), namespace: 'lab' });
    assert.deepEqual(names([...books.values()]), ['a', 'b', 'part']);
    assert.deepEqual(names(books.inNamespace('team')), ['b', 'part']);
    assert.deepEqual(names(books.withPort('TCP 80')), []);
    assert.deepEqual(books.timeline.peak(ALWAYS).shares, 21);
    books.set('b', { uid: 'b', namespace: 'team', name: 'b' });
    assert.equal(books.timeline.peak(ALWAYS).shares, 1);
    books.delete('part');
    assert.deepEqual(names(books.partsOf('b')), []);
  });

  it('takes what is aside off the sums only while it is asked, also when that fails', () => {
    const books = register();
    assert.equal(
      books.aside(['a', 'nobody'], () => books.timeline.peak(ALWAYS).shares),
      20,
    );
    assert.throws(() => books.aside(['a'], () => assert.fail('no')));
    assert.equal(books.timeline.peak(ALWAYS).shares, 30);
  });

  it('keeps what each namespace has, and what those have who are not named, as if it were added up anew', () => {
    const uids = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const namespace = fc.constantFrom('team', 'lab', 'shop');
    const changes = fc.record({ uid: uids, namespace, parent: fc.option(uids), gone: fc.constantFrom(0, 0, 0, 1, 2) });
    const isOther = (one: string): boolean => one !== 'lab';
    const seen = { others: 0, handedOn: 0 };
    const check = (books: Register): void => {
      const held = heldBy([...books.values()], books, isOther);
      assert.deepEqual(books.others.peak(ALWAYS), peak(held, ALWAYS));
      if (held.some(({ parent }) => parent !== undefined)) seen.others++;
      for (const one of ['team', 'lab', 'shop']) {
        const own = heldBy([...books.values()], books, (other) => other === one);
        assert.deepEqual(books.timelineOf(one).peak(ALWAYS), peak(own, ALWAYS), one);
        if (own.some(({ parent }) => parent === undefined)) seen.handedOn++;
      }
      for (const uid of ['a', 'b']) {
        const parts = books.partsOf(uid).map(({ grant }) => under(undefined, grant!));
        assert.deepEqual(books.timelineOfParts(uid).peak(ALWAYS), peak(parts, ALWAYS));
      }
    };
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 20 }), uids, namespace, (history, uid, to) => {
        const books = new Register([], new Set(['lab']));
        for (const [i, change] of history.entries()) {
          // nothing is above itself
          const parent = change.parent !== null && change.parent < change.uid ? change.parent : undefined;
          const { grant } = entry(change.uid, 2 ** i, 80, parent);
          const { uid: who, namespace: where, gone } = change;
          if (gone === 2) books.delete(who);
          else books.set(who, { uid: who, namespace: where, name: who, ...(gone === 0 && { grant: grant! }) });
          if (i % 3 > 0) check(books);
        }
        if (!books.has(uid)) return;
        const without = new Register(
          [...books.values()].map((one) => (one.uid === uid ? { ...one, namespace: to } : one)),
          new Set(['lab']),
        );
        const asked = (of: Register) =>
          [of.timelineOf(to), ...(isOther(to) ? [of.others] : [])].map((one) => one.peak(ALWAYS).shares);
        const moved = books.aside([uid], () => books.asHeldIn(to, uid, () => asked(books)));
        assert.deepEqual(
          moved,
          without.aside([uid], () => asked(without)),
        );
        check(books);
      }),
      { numRuns: 1000 },
    );
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `no history came to ${what}`);
  });
});
