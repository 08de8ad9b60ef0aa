import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Cell, Column } from '../../../crds/reading.ts';
import { rowsOf } from '../../../operator/watchdog/rows.ts';
import { addTotals, forgive, NO_TOTALS, type Totals } from '../../../operator/watchdog/totals.ts';

const PERIOD = 60_000;
const KEY = 'site/web';

const COLUMNS: readonly Column[] = [
  { name: 'slice', type: 'string' },
  { name: 'pod', type: 'string' },
  { name: 'what', type: 'string' },
  { name: 'bytes', type: 'integer' },
];
const SPEC = { read: { sensor: 'bandwidth', column: 'bytes' } };
/** Pod, other words, value. */
type Told = readonly [pod: string, what: string, bytes: Cell];

function hear(before: Totals, now: number, nodes: Record<string, readonly Told[]>, cut = false): Totals {
  const counted = Object.entries(nodes).map(([node, told]) => {
    const rows = told.map(([pod, what, bytes]) => [KEY, pod, what, bytes]);
    return {
      node,
      rows: rowsOf(SPEC, { columns: COLUMNS, rows, time: 0 }),
      cut,
    };
  });
  return addTotals(before, counted, { periodMs: PERIOD, keyOf: (_node, slice) => slice }, now);
}

/** One counter of no pod on each node. */
function count(before: Totals, now: number, values: Record<string, number | undefined>, cut = false): Totals {
  const nodes = Object.entries(values).map(([node, value]) => [node, value === undefined ? [] : [['', '', value]]]);
  return hear(before, now, Object.fromEntries(nodes) as Record<string, Told[]>, cut);
}

const sum = ({ sums }: Totals): number => sums.get(KEY) ?? 0;

/** One node's answers, a second apart. */
function course(...answers: (readonly Told[] | { cut: readonly Told[] })[]): number {
  let totals = NO_TOTALS;
  for (const [i, answer] of answers.entries()) {
    const [told, cut] = 'cut' in answer ? [answer.cut, true] : [answer, false];
    totals = hear(totals, 1_000 * (i + 1), { n1: told }, cut);
  }
  return sum(totals);
}

describe('what counters grew by in a period', () => {
  it('is added up over nodes, from the second reading on', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 500, n2: 7 });
    assert.equal(sum(totals), 0);
    totals = count(totals, 2_000, { n1: 510, n2: 10 });
    assert.equal(sum(totals), 13);
  });

  it('counts a counter that fell, and one that was not there, from 0', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 500, n2: undefined });
    totals = count(totals, 2_000, { n1: 4, n2: 5 });
    assert.equal(sum(totals), 9);
  });

  it('does not take for new what a node may only have left out', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: undefined }, true);
    totals = count(totals, 2_000, { n1: 5_000 });
    assert.equal(sum(totals), 0);
  });

  it('goes on over a silence, and not from one period into the next', () => {
    let totals = count(NO_TOTALS, 1_000, { n1: 0 });
    totals = count(totals, 2_000, {});
    totals = count(totals, 3_000, { n1: 30 });
    assert.equal(sum(totals), 30);
    totals = count(totals, PERIOD + 1_000, { n1: 90 });
    assert.deepEqual([totals.period, sum(totals)], [1, 0]);
    assert.equal(sum(count(totals, PERIOD + 2_000, { n1: 91 })), 1);
  });

  it('counts each row by itself: one that ends is not the growth of the others', () => {
    const web: Told = ['p1', '', 900];
    assert.equal(course([web, ['p2', '', 10]], [web, ['p3', '', 0]], [web], [web, ['p4', '', 5]]), 5);
    assert.equal(course([web, ['p2', '', 10]], [web], [web, ['p2', '', 12]]), 2);
    // of two rows with the same words nobody knows which one ended
    assert.equal(
      course(
        [
          ['', '', 900],
          ['', '', 10],
        ],
        [['', '', 900]],
        [
          ['', '', 900],
          ['', '', 11],
        ],
      ),
      1,
    );
  });

  it('counts what a pod that is made anew sends, even where it sends as much as the one before', () => {
    assert.equal(course([['p1', '', 900]], [['p2', '', 901]], [['p3', '', 900]]), 1801);
  });

  it('takes a row whose words change for the same counter', () => {
    assert.equal(course([['', 'Share', 900]], [['', 'None', 910]], [['', 'Share', 911]], [['', 'None', 915]]), 15);
    assert.equal(course([['p1', 'Share', 900]], [['p1', 'None', 910]], [['p1', 'Share', 911]]), 11);
  });

  it('takes no fall of one pod’s counter for a beginning: a part of it may be gone', () => {
    assert.equal(course([['p1', '', 900]], [['p1', '', 800]], [['p1', '', 910]]), 10);
  });

  it('does not count again what a cut answer left out, or told a part of', () => {
    const [all, part]: Told[] = [
      ['', '', 600],
      ['', '', 100],
    ];
    assert.equal(course([all!], { cut: [part!] }, [all!], { cut: [] }, [all!], { cut: [part!] }, [['', '', 605]]), 5);
  });

  it('keeps the last value where one is not known, or makes no sense', () => {
    for (const unknown of [null, -1, 2 ** 60, NaN, 'x']) {
      assert.equal(course([['p1', '', 900]], [['p1', '', unknown]], [['p1', '', 905]]), 5, String(unknown));
      assert.equal(course([['p1', '', unknown]], [['p1', '', 900]], [['p1', '', 905]]), 5, String(unknown));
    }
  });

  it('stays a number, whatever a node counts', () => {
    const much = Number.MAX_SAFE_INTEGER;
    assert.equal(
      course(
        [],
        [['p1', '', much]],
        [
          ['p1', '', much],
          ['p2', '', much],
        ],
      ),
      much,
    );
  });

  it('gives nobody a new period when a clock is set back, and forgives whom it is told to', () => {
    let totals = count(NO_TOTALS, PERIOD + 1_000, { n1: 0 });
    totals = count(totals, PERIOD + 2_000, { n1: 10 });
    totals = count(totals, PERIOD - 2_000, { n1: 10 });
    assert.deepEqual([totals.period, sum(totals)], [1, 10]);
    totals = forgive(count(totals, PERIOD + 3_000, { n1: 10 }), [KEY]);
    assert.equal(sum(count(totals, PERIOD + 4_000, { n1: 11 })), 1);
  });

  it('goes on when a clock that was years ahead is put right, with what was counted by then', () => {
    let totals = count(NO_TOTALS, PERIOD, { n1: 0 });
    totals = count(totals, 1e12, { n1: 5 });
    totals = count(totals, 1e12 + 1_000, { n1: 7 });
    totals = count(totals, PERIOD + 3_000, { n1: 7 });
    assert.deepEqual([totals.period, sum(totals)], [1, 2]);
    totals = count(totals, PERIOD + 4_000, { n1: 10 });
    assert.equal(sum(totals), 5);
    totals = count(totals, 2 * PERIOD, { n1: 10 });
    assert.equal(sum(count(totals, 2 * PERIOD + 1_000, { n1: 11 })), 1);
  });
});

/** What nodes do between two readings, and how it is told. */
const step = fc.record({
  ms: fc.integer({ min: 1, max: 40_000 }),
  heard: fc.boolean(),
  cut: fc.boolean(),
  pods: fc.array(
    fc.record({
      sent: fc.nat(1_000),
      /** Whether it is told of in this reading, told with null, or left out, though it is there. */
      told: fc.constantFrom('value', 'value', 'value', 'null', 'missing'),
      what: fc.constantFrom('a', 'b'),
      becomes: fc.constantFrom('same', 'same', 'same', 'replaced', 'gone'),
    }),
    { minLength: 3, maxLength: 3 },
  ),
  /** What the clock is wrong by. */
  wrong: fc.constantFrom(0, 0, 0, -3_000, 10 * PERIOD, -10 * PERIOD),
});

describe('the growth of counters, whatever nodes answer', () => {
  /** Pods that come, go, are replaced, and are told of in any way. */
  function run(
    steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
    isClockRight: boolean,
    hasPods = true,
  ) {
    let [now, sent, period, pods] = [20 * PERIOD, 0, 20, 0];
    let totals = NO_TOTALS;
    const counters = [0, 0, 0].map(() => ({ pod: `p${pods++}`, bytes: 0 }));
    let all = 0;
    for (const { ms, heard, cut, wrong, pods: deeds } of steps) {
      now += ms;
      if (Math.floor(now / PERIOD) > period) sent = 0;
      period = Math.floor(now / PERIOD);
      const told: Told[] = [];
      for (const [i, deed] of deeds.entries()) {
        if (deed.becomes !== 'same') counters[i] = { pod: `p${pods++}`, bytes: 0 };
        const counter = counters[i]!;
        if (deed.becomes === 'gone') continue;
        // everything of a step is sent at its end
        counter.bytes += deed.sent;
        sent += deed.sent;
        all += deed.sent;
        // only a cut answer leaves out what is there
        if (deed.told === 'missing' && cut) continue;
        told.push([hasPods ? counter.pod : '', `${i}${deed.what}`, deed.told === 'null' ? null : counter.bytes]);
      }
      totals = hear(totals, now + (isClockRight ? 0 : wrong), heard ? { n1: told } : {}, cut);
      assert.ok(sum(totals) <= (isClockRight ? sent : all), `${sum(totals)} of ${sent}`);
    }
    return { totals, now, counters };
  }

  it('is never more than what was sent in the period', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => void run(steps, true)),
      { numRuns: 1_000 },
    );
  });

  it('is never more, either, where rows have but words, and these change', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => void run(steps, true, false)),
      { numRuns: 1_000 },
    );
  });

  it('is counted to the last byte in the period after whatever clocks said', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(fc.nat(1_000), { maxLength: 5 }), (steps, more) => {
        const { totals: before, now: then } = run(steps, false);
        const began = (Math.floor(then / PERIOD) + 1) * PERIOD;
        let bytes = 0;
        let totals = hear(before, began, { n1: [['last', 'a', bytes]] });
        for (const [i, sent] of more.entries()) {
          totals = hear(totals, began + 1_000 * (i + 1), {
            n1: [['last', 'a', (bytes += sent)]],
          });
        }
        assert.ok(sum(totals) >= bytes);
      }),
    );
  });
});
