import assert from 'node:assert/strict';
import { numbered, planClassId, planNumber } from '../../node-daemonset/pods.ts';
import { pod, right } from './rights.ts';

describe('class ids', () => {
  const taken = (...ids: number[]): ReturnType<typeof pod>[] =>
    ids.map((classId) => pod(String(classId), right('a'), { classId }));

  it('go on from the last one and round', () => {
    assert.deepEqual(planClassId([], 0x100), { classId: 0x100, next: 0x101 });
    assert.deepEqual(planClassId(taken(0x101, 0x102), 0x101), { classId: 0x103, next: 0x104 });
    assert.deepEqual(planClassId(taken(0x7ffe), 0x7ffe), { classId: 0x100, next: 0x101 });
    assert.deepEqual(planClassId([], 0x7ffe), { classId: 0x7ffe, next: 0x100 });
  });

  it('begin anew where the record makes no sense', () => {
    assert.equal(planClassId([], 7).classId, 0x100);
    assert.equal(planClassId([], 0xffff).classId, 0x100);
  });

  it('end', () => {
    const all = Array.from({ length: 0x7ffe - 0x100 + 1 }, (_, i) => 0x100 + i);
    assert.throws(() => planClassId(taken(...all), 0x100), /class ids of this node are taken/);
    assert.equal(planClassId(taken(...all.filter((id) => id !== 0x1234)), 0x2000).classId, 0x1234);
  });
});

describe('numbers of slivers', () => {
  const SECOND = 1000;
  const began = Date.UTC(2026, 0, 1);

  it('are never given again, also when the checkpoint was lost', () => {
    assert.deepEqual(planNumber(5000, began + 10 * SECOND), { number: 5000, next: 5001 });
    assert.deepEqual(planNumber(1, began + 5000 * SECOND), { number: 5000, next: 5001 });
    assert.deepEqual(planNumber(1, 0), { number: 1, next: 2 });
    assert.throws(() => planNumber(2 ** 32, began), /all numbers of slivers are used/);
  });

  it('are given to pods of a checkpoint without them', () => {
    const { number: _, ...old } = pod('old', right('a'));
    const { pods, next } = numbered([old as ReturnType<typeof pod>, pod('new', right('a'), { number: 7 })], 3);
    assert.deepEqual(
      pods.map(({ uid, number }) => [uid, number]),
      [
        ['old', 8],
        ['new', 7],
      ],
    );
    assert.equal(next, 9);
  });
});
