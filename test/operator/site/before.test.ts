import assert from 'node:assert/strict';
import { ANNOTATION_ASKED_BEFORE } from '../../../crds/names.ts';
import type { ResourceCapability, Window } from '../../../crds/types.ts';
import { askedBefore, askedOf, beforeText } from '../../../operator/site/before.ts';
import { type Piece, pieceOf } from '../../../operator/site/profile.ts';
import { aRight, aSlice } from '../slice/objects.ts';

const [JAN, FEB, MAR] = ['2030-01-01T00:00:00.000Z', '2030-02-01T00:00:00.000Z', '2030-03-01T00:00:00.000Z'];

function showing(text: string | undefined): ResourceCapability {
  const right = aRight(aSlice(), 'n1');
  const annotations: Record<string, string> = text === undefined ? {} : { [ANNOTATION_ASKED_BEFORE]: text };
  return { ...right, metadata: { ...right.metadata, annotations } };
}

const read = (text: string | undefined): Piece[] => askedBefore(showing(text));
const sharesOf = (text: string | undefined): number[] => read(text).map(({ shares }) => shares);
const each = (...shares: number[]): Piece[] => shares.map((one) => pieceOf(one, undefined));

describe('what a right asks for', () => {
  it('is what its spec says, and 1 share without an end where that says nothing', () => {
    const window = { start: JAN, end: FEB };
    const right = aRight(aSlice(), 'n1', { resources: { cpu: { shares: 7 } }, window });
    assert.deepEqual(askedOf(right), { shares: 7, start: Date.parse(JAN), end: Date.parse(FEB) });
    const { resources: _1, window: _2, ...bare } = right.spec;
    assert.deepEqual(askedOf({ spec: bare }), { shares: 1, start: -Infinity, end: Infinity });
  });
});

describe('what a right was asked for before', () => {
  it('is read as it was written, with its windows and in its order', () => {
    const windows: (Window | undefined)[] = [undefined, { end: FEB }, { start: FEB }, { start: JAN, end: MAR }];
    const before = windows.map((window, i) => pieceOf(90 - i, window));
    assert.deepEqual(read(beforeText(before, pieceOf(1, undefined))), [before[0]]);
    const growing = windows.map((window, i) => pieceOf(10 + i, window));
    assert.deepEqual(read(beforeText(growing, pieceOf(1, undefined))), growing);
  });

  it('is nothing where the edit asks for no less, at any instant', () => {
    assert.equal(beforeText([], pieceOf(1, undefined)), undefined);
    assert.equal(beforeText(each(20, 20), pieceOf(20, undefined)), undefined);
    assert.equal(beforeText([pieceOf(20, { start: JAN, end: FEB })], pieceOf(30, { end: MAR })), undefined);
  });

  it('is remembered where the edit asks for fewer shares, or for a shorter time', () => {
    assert.equal(beforeText(each(20), pieceOf(19, undefined)), '[{"shares":20}]');
    const long = pieceOf(20, { start: JAN, end: MAR });
    for (const window of [
      { start: JAN, end: FEB },
      { start: FEB, end: MAR },
    ]) {
      assert.equal(beforeText([long], pieceOf(99, window)), `[{"shares":20,"start":"${JAN}","end":"${MAR}"}]`);
    }
  });

  it('has nothing that is within what was asked for earlier', () => {
    assert.deepEqual(sharesOf(beforeText(each(50, 40, 60, 50), pieceOf(10, undefined))), [50, 60]);
  });

  it('is 8 at most: the oldest, which a node holds that saw none of the edits, and the last', () => {
    const kept = sharesOf(beforeText(each(10, 11, 12, 13, 14, 15, 16, 17, 18, 19), pieceOf(1, undefined)));
    assert.deepEqual(kept, [10, 13, 14, 15, 16, 17, 18, 19]);
    const many = JSON.stringify(Array.from({ length: 1000 }, (_, i) => ({ shares: i + 1 })));
    assert.equal(read(many).length, 8, 'whoever wrote it');
  });

  it('is nothing that makes no sense', () => {
    for (const text of [undefined, '', '{', 'null', '3', '{"shares":3}', '[]', '[null,3,"x",[]]']) {
      assert.deepEqual(read(text), [], text);
    }
    for (const shares of ['0', '-1', '1001', '1.5', '"9"', 'null', '1e999']) {
      assert.deepEqual(sharesOf(`[{"shares":${shares}},{"shares":5}]`), [5], shares);
    }
    for (const instant of ['"soon"', '3', 'null', '""']) {
      assert.deepEqual(sharesOf(`[{"shares":4,"start":${instant}},{"shares":4,"end":${instant}}]`), [], instant);
    }
    assert.deepEqual(sharesOf('[{"shares":1},{"shares":1000}]'), [1, 1000]);
  });
});
