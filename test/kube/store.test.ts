import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { MutableStore } from '../../kube/store.ts';
import { pod, type Pod } from './objects.ts';

const byNode = { node: (one: Pod) => [one.spec.nodeName] };
const names = (pods: Pod[]) => pods.map((one) => one.metadata.name).toSorted();

describe('MutableStore', () => {
  let store: MutableStore<Pod>;
  beforeEach(() => {
    store = new MutableStore<Pod>(byNode);
  });

  it('knows what it was told, by key and by index', () => {
    const first = pod('p', '1');
    assert.deepEqual(store.put(first), { key: 'ns/p', before: undefined, after: first });
    assert.equal(store.get('ns/p'), first);
    assert.deepEqual(store.byIndex('node', 'n1'), [first]);
    assert.deepEqual(store.byIndex('node', 'n2'), []);
    assert.throws(() => store.byIndex('nodes', 'n1'), /no index nodes/);
  });

  it('does not go back to an older version, nor tell of the same one twice', () => {
    const known = pod('p', '10');
    store.put(known);
    // as numbers: as text, 9 comes after 10
    assert.equal(store.put(pod('p', '9', { node: 'n2' })), undefined);
    assert.equal(store.put(pod('p', '10')), undefined);
    assert.equal(store.get('ns/p'), known);
    assert.deepEqual(store.byIndex('node', 'n2'), []);
  });

  it('compares versions beyond what a double holds', () => {
    store.put(pod('p', '9007199254740993'));
    assert.equal(store.put(pod('p', '9007199254740992')), undefined);
    assert.ok(store.put(pod('p', '9007199254740994')));
  });

  it('moves an object from index to index', () => {
    store.put(pod('p', '1'));
    store.put(pod('p', '2', { node: 'n2' }));
    assert.deepEqual(store.byIndex('node', 'n1'), []);
    assert.deepEqual(names(store.byIndex('node', 'n2')), ['p']);
  });

  it('takes a new uid for another object under the name, but not an older one', () => {
    store.put(pod('p', '10'));
    assert.ok(store.put(pod('p', '12', { uid: 'u2' })));
    assert.equal(store.put(pod('p', '11')), undefined);
    assert.equal(store.get('ns/p')?.metadata.uid, 'u2');
  });

  it('is not made to forget an object by the end of the one before it', () => {
    store.put(pod('p', '12', { uid: 'u2' }));
    assert.equal(store.delete(pod('p', '11')), undefined);
    assert.ok(store.get('ns/p'));
    assert.ok(store.delete(pod('p', '13', { uid: 'u2' })));
    assert.deepEqual([store.get('ns/p'), store.byIndex('node', 'n1')], [undefined, []]);
    assert.equal(store.delete(pod('p', '13', { uid: 'u2' })), undefined);
  });

  it('takes over a list: what is new, what changed, what is gone, and nothing of what is the same', () => {
    for (const name of ['same', 'changed', 'gone']) store.put(pod(name, '1'));
    assert.equal(store.synced, false);
    const changes = store.replace([pod('same', '1'), pod('changed', '2'), pod('new', '3')]);
    assert.equal(store.synced, true);
    assert.deepEqual(
      changes.map(({ key, before, after }) => [key, before?.metadata.resourceVersion, after?.metadata.resourceVersion]),
      [
        ['ns/changed', '1', '2'],
        ['ns/new', undefined, '3'],
        ['ns/gone', '1', undefined],
      ],
    );
    assert.deepEqual(names(store.list()), ['changed', 'new', 'same']);
  });

  it('stays whole when an index cannot be made', () => {
    const picky = new MutableStore<Pod>({
      ...byNode,
      picky: (one) => {
        if (one.spec.nodeName === 'bad') throw new Error('odd');
        return ['x'];
      },
    });
    picky.put(pod('p', '1'));
    assert.throws(() => picky.put(pod('p', '2', { node: 'bad' })), /odd/);
    assert.deepEqual(names(picky.byIndex('node', 'n1')), ['p']);
    assert.deepEqual(names(picky.byIndex('picky', 'x')), ['p']);
    assert.equal(picky.get('ns/p')?.metadata.resourceVersion, '1');
  });

  // A cluster writes a history; the store hears of it late, twice, in any order. It must know the latest it was told of each.
  const write = fc.record({
    name: fc.constantFrom('a', 'b'),
    node: fc.constantFrom('n1', 'n2'),
    uid: fc.nat({ max: 1 }),
  });

  it('agrees with a plain model after any history told in any order', () => {
    fc.assert(
      fc.property(fc.array(write, { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat()), (writes, picks) => {
        const told = new MutableStore<Pod>(byNode);
        const generations = new Map<string, number>();
        const history = writes.map(({ name, node, uid }, index) => {
          // a uid never comes back after another has taken the name
          const generation = (generations.get(name) ?? 0) + uid;
          generations.set(name, generation);
          return pod(name, String(index + 8), { node, uid: `${name}-${generation}` });
        });
        const latest = new Map<string, Pod>();
        for (let i = 0; i < 40; i++) {
          const one = history[Number(picks.next().value) % history.length]!;
          const { name, resourceVersion } = one.metadata;
          const known = latest.get(name);
          const newer = !known || Number(resourceVersion) > Number(known.metadata.resourceVersion);
          assert.equal(told.put(one) !== undefined, newer && one !== known, `${name} ${resourceVersion}`);
          if (newer) latest.set(name, one);
          for (const node of ['n1', 'n2']) {
            const expected = [...latest.values()].filter((object) => object.spec.nodeName === node);
            assert.deepEqual(new Set(told.byIndex('node', node)), new Set(expected));
          }
        }
        assert.deepEqual(new Set(told.list()), new Set(latest.values()));
      }),
    );
  });
});
