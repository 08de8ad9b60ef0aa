import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type FlowQuery, formatQuery, parseQuery, QueryError } from '../../crds/flowquery.ts';
import { parsePrefix } from '../../crds/ipaddress.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const read = (text: string): FlowQuery => parseQuery(new URLSearchParams(text), NOW);

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const query = fc
  .record({
    destination: optional(fc.tuple(fc.ipV4(), fc.nat(32)).map(([address, bits]) => parsePrefix(`${address}/${bits}`)!)),
    namespace: optional(name),
    slice: optional(name),
    port: optional(fc.nat(65535)),
    sourcePort: optional(fc.nat(65535)),
    protocol: optional(fc.nat(255)),
    times: fc.uniqueArray(fc.integer({ min: 0, max: Date.UTC(2100, 0) }), { minLength: 2, maxLength: 2 }),
    limit: fc.integer({ min: 1, max: 10_000 }),
  })
  .map(({ times, ...rest }) => {
    const [from, to] = times.toSorted((a, b) => a - b) as [number, number];
    const given = { ...rest, from, to };
    if (given.slice === undefined) delete given.namespace;
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as FlowQuery;
  });

describe('a question about flows', () => {
  it('is the same after having been written and read', () => {
    fc.assert(fc.property(query, (one) => assert.deepEqual(parseQuery(formatQuery(one), NOW), one)));
  });

  it('is about the last hour where it does not say', () => {
    const { from, to } = read('destination=&slice=');
    assert.equal(to - from, 3_600_000);
    assert.ok(from < NOW && to > NOW);
  });

  it('takes what the time field of a browser sends for UTC', () => {
    assert.equal(read('from=2026-11-23T10:00').from, Date.UTC(2026, 10, 23, 10));
    assert.equal(read('from=2026-11-23T10:00:00%2B02:00').from, Date.UTC(2026, 10, 23, 8));
  });

  it('is refused, and the parameter named, where it is not understood', () => {
    for (const text of [
      'destination=example.org',
      'destination=10.0.0.0/40',
      'slice=../etc/passwd',
      'slice=a/b/c',
      'port=65536',
      'port=1e3',
      'sourcePort=-1',
      'protocol=256',
      'protocol=__proto__',
      'from=yesterday',
      'from=2026-13-45T00:00:00Z',
      'to=1969-01-01T00:00:00Z',
      'limit=0',
      'limit=100000',
      'limit=1&limit=2',
    ]) {
      const parameter = /^\w+/.exec(text)![0];
      assert.throws(
        () => read(text),
        (error: Error) => error instanceof QueryError && error.message.includes(parameter),
        text,
      );
    }
    assert.throws(() => read('from=2026-01-02T00:00Z&to=2026-01-01T00:00Z'), QueryError);
    assert.throws(() => read('%3Cscript%3E=1'), QueryError);
  });

  it('never fails in another way, whatever is sent', () => {
    fc.assert(
      fc.property(
        fc.webQueryParameters(),
        fc.array(fc.tuple(fc.constantFrom('destination', 'slice', 'from', 'port'), fc.string())),
        (text, pairs) => {
          for (const parameters of [new URLSearchParams(text), new URLSearchParams(pairs)]) {
            try {
              parseQuery(parameters, NOW);
            } catch (error) {
              assert.ok(error instanceof QueryError, String(error));
              assert.match(error.message, /^[\x20-\x7e]{1,300}$/);
            }
          }
        },
      ),
    );
  });
});
