import assert from 'node:assert/strict';
import { planOpenFiles, readOpenFiles, writeOpenFiles } from '../../../node-daemonset/limits/openfiles.ts';

describe('open files of a process', () => {
  it('are bounded by the hard limit; what it chose itself below that stays', () => {
    assert.deepEqual(planOpenFiles({ soft: 1024, hard: Infinity }, 100), { soft: 100, hard: 100 });
    assert.deepEqual(planOpenFiles({ soft: 50, hard: 1024 }, 100), { soft: 50, hard: 100 });
    assert.deepEqual(planOpenFiles({ soft: 50, hard: 60 }, 100), { soft: 50, hard: 100 }, 'a right was renewed');
    assert.equal(planOpenFiles({ soft: 50, hard: 100 }, 100), undefined);
  });

  it('are read of a process that is there', () => {
    const { soft, hard } = readOpenFiles(process.pid)!;
    assert.ok(soft > 0 && hard >= soft);
    assert.equal(readOpenFiles(2 ** 30), undefined, 'no process has this number');
    assert.equal(writeOpenFiles(2 ** 30, { soft: 20, hard: 20 }), false);
  });
});
