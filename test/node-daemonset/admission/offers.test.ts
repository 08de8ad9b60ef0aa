import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { Entry } from '../../../node-daemonset/admission/ledger.ts';
import { Offers } from '../../../node-daemonset/admission/offers.ts';
import { edited, granted, offering, right } from '../rights.ts';

describe('offers', () => {
  const VALUE = 'a1'.repeat(32);
  const entriesOf = (...rcaps: ResourceCapability[]): Map<string, Entry> =>
    new Map(granted(...rcaps).entries.map((entry) => [entry.uid, entry]));

  it('are looked through once, however many values are shown', () => {
    const rcaps = Array.from({ length: 100 }, (_, i) => offering(right(`r${i}`), i.toString(16).padStart(64, '0')));
    let looks = 0;
    const counted = new Proxy(rcaps, {
      get: (target, name) => {
        if (name === Symbol.iterator) looks++;
        return Reflect.get(target, name) as unknown;
      },
    });
    const offers = new Offers(counted);
    assert.equal(looks, 0, 'nothing where nobody shows any');
    const entries = entriesOf(...rcaps);
    for (let i = 0; i < 100; i++) assert.equal(offers.holderOf('f'.repeat(64), 'taker', entries), undefined);
    assert.equal(offers.holderOf((63).toString(16).padStart(64, '0'), 'taker', entries)?.uid, 'r63');
    assert.equal(looks, 1);
  });

  it('are the oldest granted right’s that has the value under the name that it asks for, and never the taker’s', () => {
    const [a, b] = [offering(right('a'), VALUE), offering(right('b'), VALUE)];
    const both = new Offers([a, b]);
    assert.equal(both.holderOf(VALUE, 'taker', entriesOf(a, b))?.uid, 'a');
    assert.equal(both.holderOf(VALUE, 'a', entriesOf(a, b))?.uid, 'b');
    assert.equal(both.holderOf(VALUE, 'taker', entriesOf(b))?.uid, 'b');
    const withdrawn = { ...a, spec: { ...a.spec, valueSecret: 'another' } };
    assert.equal(new Offers([withdrawn]).holderOf(VALUE, 'taker', entriesOf(withdrawn)), undefined);
    const renewed = edited(edited(a, { contact: 'other@example.org' }), { contact: 'a@example.org' });
    assert.equal(new Offers([renewed]).holderOf(VALUE, 'taker', entriesOf(renewed))?.uid, 'a');
    assert.equal(new Offers([offering(right('a'), '')]).holderOf('', 'taker', entriesOf(a)), undefined);
  });
});
