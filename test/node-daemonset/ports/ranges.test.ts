import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { formatPorts, longestGap, parsePorts, piecesOf, rangesOf } from '../../../node-daemonset/ports/ranges.ts';

const ports = fc.uniqueArray(fc.integer({ min: 0, max: 65_535 }), { maxLength: 300 }).map((list) => new Set(list));

describe('sets of ports', () => {
  it('read and write what the kernel has', () => {
    assert.deepEqual(parsePorts('80,5000-5002\n'), new Set([80, 5000, 5001, 5002]));
    assert.deepEqual(parsePorts('\n'), new Set());
    assert.equal(formatPorts(new Set([5001, 80, 5000])), '80,5000-5001');
    for (const text of ['x', '1-', '70000', '1;2']) assert.throws(() => parsePorts(text), /is no port/, text);
  });

  it('are the same after writing and reading, in pieces too, of which none is too long', () => {
    fc.assert(
      fc.property(ports, fc.integer({ min: 11, max: 200 }), (set, limit) => {
        assert.deepEqual(parsePorts(formatPorts(set)), new Set([...set].sort((a, b) => a - b)));
        const pieces = piecesOf(formatPorts(set), limit);
        assert.ok(pieces.every((piece) => piece.length <= limit));
        assert.deepEqual(new Set(pieces.flatMap((piece) => [...parsePorts(piece)])), set);
      }),
    );
  });

  it('have a longest gap, with none of them in it and no longer one beside it', () => {
    fc.assert(
      fc.property(ports, (set) => {
        const within = { from: 20_000, to: 40_000 };
        const gap = longestGap(within, set);
        const free = new Set(Array.from({ length: 20_001 }, (_, i) => 20_000 + i)).difference(set);
        const lengths = rangesOf(free).map(({ from, to }) => to - from);
        assert.equal(gap.to - gap.from, Math.max(...lengths));
        for (const port of set) assert.ok(port < gap.from || port > gap.to);
      }),
    );
    assert.deepEqual(longestGap({ from: 1, to: 2 }, [1, 2]), { from: 1, to: 2 }, 'nothing is free');
  });
});
