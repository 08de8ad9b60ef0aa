import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { cpusAreShared, cpusPerNode, nodeCpus, parseCpuList } from '../cluster/cpus.ts';

describe('harness: CPUs of nodes', () => {
  it('reads the lists of the kernel', () => {
    assert.deepEqual(parseCpuList('0-2,5\n'), [0, 1, 2, 5]);
    assert.deepEqual(parseCpuList('3'), [3]);
    assert.deepEqual(parseCpuList('\n'), []);
    for (const bad of ['a', '2-1', '1-x']) assert.throws(() => parseCpuList(bad), /no list of CPUs/);
  });

  it('gives every node an equal part, and never less than one', () => {
    assert.equal(cpusPerNode(2, 2), 1);
    assert.equal(cpusPerNode(8, 3), 2);
    assert.equal(cpusPerNode(1, 3), 1);
    assert.equal(cpusPerNode(4, 0), 4);
  });

  it('takes what is asked for, within what there is', () => {
    assert.equal(cpusPerNode(2, 1, 1), 1);
    assert.equal(cpusPerNode(2, 1, 2), 2);
    for (const bad of [0, 3, 1.5, Number.NaN]) assert.throws(() => cpusPerNode(2, 1, bad), /1 to 2 CPUs/);
  });

  it('promises a CPU to two nodes only when there are too few', () => {
    const machine = fc.record({
      cpus: fc.uniqueArray(fc.nat(63), { minLength: 1, maxLength: 16 }),
      nodes: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(machine, ({ cpus, nodes }) => {
        const perNode = cpusPerNode(cpus.length, nodes);
        const given = Array.from({ length: nodes }, (_, i) => nodeCpus(cpus, perNode, i + 1));
        for (const own of given) assert.equal(new Set(own).size, perNode);
        const distinct = new Set(given.flat()).size === perNode * nodes;
        assert.equal(distinct, !cpusAreShared(cpus.length, perNode, nodes));
      }),
    );
  });

  it('goes round the CPUs when nodes must share', () => {
    assert.deepEqual(
      [1, 2, 3].map((n) => nodeCpus([0, 1], 1, n)),
      [[0], [1], [0]],
    );
    assert.deepEqual(
      [1, 2].map((n) => nodeCpus([0, 1, 2], 2, n)),
      [
        [0, 1],
        [0, 2],
      ],
    );
  });
});
