import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { override, overridesOn } from '../../crds/overrides.ts';
import type { Override, Rspec } from '../../crds/types.ts';

const given = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const without = <T extends object>(one: T): T =>
  Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as T;
const record = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields).map(without);
const rates = fc.constantFrom<string | number>('1M', '2M', 3_000_000);
const port = fc.record({
  protocol: fc.constantFrom<'TCP' | 'UDP'>('TCP', 'UDP'),
  port: fc.integer({ min: 1, max: 9 }),
});

/** Every field of an rspec, there or not. */
const rspec = record<Record<string, unknown>>({
  cpu: given(record({ shares: given(fc.nat(1000)), excess: given(fc.constantFrom('Share', 'None')) })),
  egress: given(record({ guarantee: given(rates), limit: given(rates) })),
  memory: given(rates),
  disk: given(rates),
  processes: given(fc.nat(100)),
  openFiles: given(fc.nat(100)),
  ports: given(fc.uniqueArray(port, { selector: (one) => JSON.stringify(one), maxLength: 3 })),
  network: given(fc.constantFrom('Pod', 'Host')),
  privileges: given(fc.uniqueArray(fc.constantFrom('RawSockets', 'Audit'))),
}) as fc.Arbitrary<Rspec>;

/** Each value of an rspec that is no object, by its path; lists are values. */
function leaves(of: object, path = ''): Map<string, unknown> {
  return new Map(
    Object.entries(of).flatMap(([name, value]): [string, unknown][] => {
      const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
      return nested ? [...leaves(value as object, `${path}${name}.`)] : [[`${path}${name}`, value]];
    }),
  );
}

describe('an override', () => {
  it('says every field that it gives, and leaves every other as it is', () => {
    fc.assert(
      fc.property(rspec, rspec, (base, over) => {
        assert.deepEqual(leaves(override(base, over)), new Map([...leaves(base), ...leaves(over)]));
      }),
      { numRuns: 2_000 },
    );
  });

  it('goes with others, in whatever way they are put together', () => {
    fc.assert(
      fc.property(rspec, rspec, rspec, (a, b, c) => {
        assert.deepEqual(leaves(override(override(a, b), c)), leaves(override(a, override(b, c))));
      }),
    );
  });

  it('takes lists whole: an empty one takes all away', () => {
    const base: Rspec = { ports: [{ protocol: 'TCP', port: 80 }], privileges: ['RawSockets'] };
    assert.deepEqual(override(base, { ports: [{ protocol: 'UDP', port: 53 }] }).ports, [{ protocol: 'UDP', port: 53 }]);
    assert.deepEqual(override(base, { privileges: [] }), { ...base, privileges: [] });
  });

  it('changes nothing of what it is put on', () => {
    const base: Rspec = Object.freeze({ cpu: Object.freeze({ shares: 1 }) });
    assert.deepEqual(override(base, { cpu: { excess: 'None' } }), { cpu: { shares: 1, excess: 'None' } });
    assert.deepEqual(override(undefined, { cpu: { shares: 2 } }), { cpu: { shares: 2 } });
  });
});

describe('the overrides on a node', () => {
  const of = (name: string, about: Partial<Override>): Override => ({ name, resources: {}, ...about });
  const overrides = [
    of('node', { node: 'n1' }),
    of('big', { nodeSelector: { size: 'big' } }),
    of('other', { node: 'n2' }),
    of('east', { nodeSelector: { size: 'big', zone: 'east' } }),
    of('again', { node: 'n1' }),
    of('nobody', { nodeSelector: {} }),
    of('nothing', {}),
  ];
  const names = (name: string, labels: Record<string, string>) =>
    overridesOn(overrides, { name, labels }).map((one) => one.name);

  it('are of groups first, then its own, so that the sliver’s goes over the group’s', () => {
    assert.deepEqual(names('n1', { size: 'big', zone: 'east' }), ['big', 'east', 'node', 'again']);
    assert.deepEqual(names('n1', { size: 'small' }), ['node', 'again']);
    assert.deepEqual(names('n2', { size: 'big', zone: 'west' }), ['big', 'other']);
    assert.deepEqual(names('n3', {}), []);
    assert.deepEqual(overridesOn(undefined, { name: 'n1', labels: {} }), []);
  });
});
