import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { countUses, DAY_MS, NO_USES, type Uses, useKey } from '../../../node-daemonset/budget/use.ts';
import { exemptClass } from '../../../node-daemonset/egress/names.ts';
import { makeSliver } from '../desired.ts';

const sliver = makeSliver('a', {}, { classId: 0x101 });
const KEY = useKey(sliver);
const DAY = 20_000 * DAY_MS;
type Lines = Map<string, Map<number, { bytes: number }>>;
const lines = (bytes: number, exempt = 0, classId = 0x101): Lines =>
  new Map([
    [
      'eth0',
      new Map([
        [classId, { bytes }],
        [exemptClass(classId), { bytes: exempt }],
      ]),
    ],
  ]);

describe('what a sliver has sent today', () => {
  /** A kernel whose counters begin anew now and then, as classes, lines and machines do. */
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('send' as const),
      line: fc.constantFrom('eth0', 'eth1'),
      bytes: fc.nat(1e9),
      exempt: fc.nat(1e9),
    }),
    fc.constantFrom({ kind: 'pass' as const }, { kind: 'restart' as const }),
    fc.record({ kind: fc.constantFrom('remake' as const, 'reboot' as const) }),
  );

  it('is what was sent, whatever begins anew in between, as long as it was looked at before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let uses: Uses = NO_USES;
        let boot = 0;
        let sent = { counted: 0, exempt: 0 };
        const kernel: Lines = lines(0);
        const pass = (): void => void (uses = countUses(uses, structuredClone(kernel), [sliver], `boot${boot}`, DAY));
        pass();
        for (const one of steps) {
          if (one.kind === 'send') {
            const classes = kernel.get(one.line) ?? new Map<number, { bytes: number }>();
            kernel.set(one.line, classes);
            for (const [minor, bytes] of [
              [0x101, one.bytes],
              [exemptClass(0x101), one.exempt],
            ] as const) {
              classes.set(minor, { bytes: (classes.get(minor)?.bytes ?? 0) + bytes });
            }
            sent = { counted: sent.counted + one.bytes, exempt: sent.exempt + one.exempt };
          } else if (one.kind === 'restart') uses = JSON.parse(JSON.stringify(uses)) as Uses;
          else {
            pass();
            // a class that is made anew is missing for a moment, or falls; a machine that starts has another id
            if (one.kind === 'reboot') boot++;
            if (one.kind !== 'pass') kernel.clear();
            if (one.kind === 'remake') pass();
          }
        }
        pass();
        const today = uses.uses[KEY]?.today ?? { counted: 0, exempt: 0 };
        assert.deepEqual(today, sent);
      }),
    );
  });

  it('goes on where a counter fell: its class was made anew between two looks', () => {
    const before = countUses(NO_USES, lines(500, 50), [sliver], 'b', DAY);
    const after = countUses(before, lines(200, 20), [sliver], 'b', DAY);
    assert.deepEqual(after.uses[KEY]!.today, { counted: 700, exempt: 70 });
  });

  it('begins anew with the day, but not with a clock that was set back', () => {
    const before = countUses(NO_USES, lines(500), [sliver], 'b', DAY);
    const back = countUses(before, lines(600), [sliver], 'b', DAY - 1000);
    assert.equal(back.uses[KEY]!.today.counted, 600);
    const next = countUses(before, lines(700), [sliver], 'b', DAY + DAY_MS);
    assert.equal(next.uses[KEY]!.today.counted, 200);
  });

  it('stays with a slice that is deleted and made again, and goes with the day', () => {
    const before = countUses(NO_USES, lines(500), [sliver], 'b', DAY);
    const gone = countUses(before, lines(550), [], 'b', DAY);
    const away = countUses(gone, new Map([['eth0', new Map()]]), [], 'b', DAY);
    // its class is somebody else's by now
    const other = makeSliver('b', {}, { classId: 0x101 });
    const both = countUses(away, lines(10_000), [other], 'b', DAY);
    assert.equal(both.uses[KEY]!.today.counted, 550);
    const again = countUses(both, lines(5, 0, 0x105), [{ ...sliver, classId: 0x105 }], 'b', DAY);
    assert.equal(again.uses[KEY]!.today.counted, 555);
    assert.equal(countUses(away, new Map(), [], 'b', DAY + DAY_MS).uses[KEY], undefined);
  });

  it('is the very same where nothing was sent: nothing is written then', () => {
    const before = countUses(NO_USES, lines(500), [sliver], 'b', DAY);
    assert.equal(countUses(before, lines(500), [sliver], 'b', DAY + 1000), before);
  });
});
