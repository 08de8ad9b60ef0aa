import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parseQuery } from '../../../crds/flowquery.ts';
import { answerFlows, answerPairs, matches } from '../../../node-daemonset/audit/answer.ts';
import type { Flow } from '../../../node-daemonset/audit/flow.ts';
import type { OwnedFlow, Segment } from '../../../node-daemonset/audit/period.ts';
import { makeFlow, makeIdentity, START } from './flows.ts';

const query = (text = '') => parseQuery(new URLSearchParams(text), START + 1000);
const owned = (given: Partial<Flow> = {}, slice = 'probe'): OwnedFlow => ({
  flow: makeFlow(given),
  owner: given.sliver === 0 ? undefined : makeIdentity(slice),
});
const segmentOf = (...flows: OwnedFlow[]): Segment => ({
  start: START,
  end: START + 600_000,
  async *read() {
    yield flows;
  },
});
const question = (text: string, ...segments: Segment[]) => ({
  node: 'node1',
  query: query(text),
  segments,
  clock: () => 0,
  deadline: 1,
  pause: () => Promise.resolve(),
});
const overflow = { protocol: 255, source: '', destination: '' };

describe('an answer about flows', () => {
  it('has what each condition asks for, and nothing else', () => {
    for (const [text, yes, no] of [
      ['destination=192.0.2.0/24', {}, { destination: '192.0.3.1' }],
      ['destination=2001:db8::/32', { destination: '2001:db8::1' }, {}],
      ['port=80', {}, { destinationPort: 81 }],
      ['sourcePort=40000', {}, { sourcePort: 1 }],
      ['protocol=tcp', {}, { protocol: 17 }],
      ['slice=site/probe', {}, { sliver: 0 }],
      ['from=2026-11-23T11:59:00Z&to=2026-11-23T12:00:01Z', {}, { first: START + 1000, last: START + 2000 }],
      ['from=2026-11-23T12:00:01Z', { last: START + 1000 }, {}],
    ] as const) {
      assert.ok(matches(query(text), owned(yes)), text);
      assert.ok(!matches(query(text), owned(no)), `not ${text}`);
    }
    assert.ok(!matches(query('slice=other/probe'), owned()));
    assert.ok(!matches(query('slice=prob'), owned()));
  });

  it('has the rows without addresses too: they could hold packets to any', () => {
    assert.ok(matches(query('destination=192.0.2.1&port=80&protocol=udp'), owned(overflow)));
    assert.ok(matches(query('destination=192.0.2.1'), owned({ ...overflow, sliver: 0 })));
    assert.ok(!matches(query('slice=other'), owned(overflow)));
  });

  it('leaves three quarters of the time to others', async () => {
    let now = 0;
    let rested = 0;
    const busy: Segment = {
      ...segmentOf(),
      async *read() {
        for (let i = 0; i < 50; i++) {
          now += 5;
          yield [owned()];
        }
      },
    };
    const pause = (ms: number): Promise<void> => {
      rested += ms;
      now += ms;
      return Promise.resolve();
    };
    await answerFlows({ ...question('', busy), clock: () => now, deadline: Infinity, pause });
    assert.deepEqual([rested, now], [750, 1000]);
  });

  it('adds up over segments, and loses no byte', async () => {
    const flow = fc.record({
      sliver: fc.nat(2),
      destination: fc.constantFrom('192.0.2.1', '192.0.2.2'),
      sourcePort: fc.nat(2),
      bytes: fc.nat(1000),
      protocol: fc.constantFrom(6, 17, 255),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(flow, { maxLength: 20 }), { maxLength: 4 }), async (given) => {
        const flows = given.map((some) =>
          some.map((one) => owned(one.protocol === 255 || one.sliver === 0 ? { ...one, ...overflow } : one)),
        );
        const segments = flows.map((some) => segmentOf(...some));
        const sent = flows.flat().reduce((sum, one) => sum + one.flow.bytes, 0);
        const rows = (await answerFlows(question('', ...segments))).flows;
        const { pairs } = await answerPairs(question('', ...segments));
        assert.equal(
          rows.reduce((sum, { bytes }) => sum + bytes, 0),
          sent,
        );
        assert.equal(
          pairs.reduce((sum, { bytes }) => sum + bytes, 0),
          sent,
        );
        const keys = rows.map((row) =>
          JSON.stringify({ ...row, first: 0, last: 0, packets: 0, bytes: 0, tcpFlags: 0 }),
        );
        assert.equal(new Set(keys).size, keys.length);
      }),
    );
  });

  it('tells apart slices of one number at different times', async () => {
    const { pairs } = await answerPairs(question('', segmentOf(owned({}, 'late')), segmentOf(owned({}, 'early'))));
    assert.deepEqual(
      pairs.map(({ slice, bytes }) => [slice, bytes]),
      [
        ['late', 74],
        ['early', 74],
      ],
    );
  });

  it('says so where there is more than was asked for', async () => {
    const many = Array.from({ length: 5 }, (_, i) => owned({ sourcePort: i, last: START + i }));
    const cut = await answerFlows(question('limit=2', segmentOf(...many)));
    assert.deepEqual([cut.truncated, cut.flows.map(({ sourcePort }) => sourcePort)], ['Rows', [4, 3]]);
    assert.equal((await answerFlows(question('limit=5', segmentOf(...many)))).truncated, undefined);
  });

  it('ends in time, and says that it did', async () => {
    let time = 0;
    const endless: Segment = {
      start: START,
      end: START,
      async *read() {
        for (let i = 0; ; i++) yield [owned({ sourcePort: i % 10 })];
      },
    };
    const { truncated, flows } = await answerFlows({ ...question('', endless), clock: () => time++, deadline: 100 });
    assert.deepEqual([truncated, flows.length], ['Time', 10]);
  });
});
