import assert from 'node:assert/strict';
import { LAYOUTS } from '../../../node-daemonset/bpf/layout.ts';
import { diffKeys, diffMap } from '../../../node-daemonset/guard/diff.ts';

describe('the difference of two maps', () => {
  const key = (port: number): { protocol: number; port: number } => ({ protocol: 6, port });

  it('is what must be written and what must go', () => {
    const there = [
      [key(1), 1],
      [key(2), 2],
      [key(3), 3],
    ] as const;
    const wanted = [
      [key(1), 1],
      [key(2), 7],
      [key(4), 4],
    ] as const;
    assert.deepEqual(diffMap(LAYOUTS.ports, there, wanted), {
      set: [
        [key(2), 7],
        [key(4), 4],
      ],
      remove: [key(3)],
    });
    assert.deepEqual(diffMap(LAYOUTS.ports, wanted, wanted), { set: [], remove: [] });
  });

  it('goes by the first of two with one key, and by bytes', () => {
    const address = (text: string): { sliver: number; address: string } => ({ sliver: 1, address: text });
    const wanted = [[address('fd00:0::1'), 1] as const, [address('fd00::1'), 1] as const];
    assert.deepEqual(diffMap(LAYOUTS.addresses, [[address('fd00::1'), 1]], wanted), { set: [], remove: [] });
  });

  it('of rows is their keys', () => {
    assert.deepEqual(diffKeys([1, 2], [2, 3]), { add: [3], remove: [1] });
  });
});
