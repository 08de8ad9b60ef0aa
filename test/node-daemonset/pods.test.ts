import assert from 'node:assert/strict';
import { planClassId } from '../../node-daemonset/pods.ts';
import { pod, right } from './rights.ts';

describe('class ids', () => {
  const taken = (...ids: number[]): ReturnType<typeof pod>[] =>
    ids.map((classId) => pod(String(classId), right('a'), { classId }));

  it('go on from the last one and round', () => {
    assert.deepEqual(planClassId([], 0x100), { classId: 0x100, next: 0x101 });
    assert.deepEqual(planClassId(taken(0x101, 0x102), 0x101), { classId: 0x103, next: 0x104 });
    assert.deepEqual(planClassId(taken(0xfffe), 0xfffe), { classId: 0x100, next: 0x101 });
    assert.deepEqual(planClassId([], 0xfffe), { classId: 0xfffe, next: 0x100 });
  });

  it('begin anew where the record makes no sense', () => {
    assert.equal(planClassId([], 7).classId, 0x100);
    assert.equal(planClassId([], 0xffff).classId, 0x100);
  });

  it('end', () => {
    const all = Array.from({ length: 0xfffe - 0x100 + 1 }, (_, i) => 0x100 + i);
    assert.throws(() => planClassId(taken(...all), 0x100), /class ids of this node are taken/);
    assert.equal(planClassId(taken(...all.filter((id) => id !== 0x1234)), 0x2000).classId, 0x1234);
  });
});
