import assert from 'node:assert/strict';
import { planLimits } from '../../../node-daemonset/limits/plan.ts';
import { makeSliver } from '../desired.ts';

describe('the plan of limits', () => {
  const processes = (asked: number | undefined, has: number, kubelet?: number): number | undefined => {
    const sliver = makeSliver('a', { processes: asked });
    const writes = planLimits([sliver], new Map([['a', { processes: has }]]), kubelet);
    return writes.find(({ kind }) => kind === 'processes')?.value;
  };

  it('gives nobody more processes than the kubelet gives a pod', () => {
    assert.equal(processes(4_194_304, 1024, 1024), undefined);
    assert.equal(processes(4_194_304, 100, 1024), 1024);
    assert.equal(processes(100, 1024, 1024), 100);
    assert.equal(processes(200, 100, 1024), 200, 'a renewal may ask for more');
    assert.equal(processes(200, 100, Infinity), 200);
    assert.equal(processes(undefined, 1024, 1024), undefined);
  });

  it('only lowers where it does not know what the kubelet gives', () => {
    assert.equal(processes(4_194_304, 1024), undefined);
    assert.equal(processes(10, Infinity), 10);
  });
});
