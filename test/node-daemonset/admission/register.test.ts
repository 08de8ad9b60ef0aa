import assert from 'node:assert/strict';
import { amounts } from '../../../crds/rspec.ts';
import type { Entry } from '../../../node-daemonset/admission/ledger.ts';
import { Register } from '../../../node-daemonset/admission/register.ts';

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
});
