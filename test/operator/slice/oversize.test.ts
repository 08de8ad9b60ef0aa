import assert from 'node:assert/strict';
import { reduceMetadata } from '../../../kube/reduce.ts';
import { specBytes } from '../../../crds/check-schema.ts';
import { watched } from '../../../operator/stores.ts';
import { aNode, aSlice, NOW, planWhole, running } from './objects.ts';

describe('a slice too large to be kept', () => {
  const { transform } = watched('slice-system').slices;
  const args = Array.from({ length: 256 }, () => 'ü'.repeat(4096));
  const nodes = [aNode('n1')];

  it('is kept small, refused with its true size, and keeps what it has', () => {
    const large = aSlice({ sliver: { image: 'x', args } });
    const kept = transform!(large);
    assert.ok(specBytes(kept.spec) < 1024);
    const input = { ...running(aSlice(), nodes), slice: kept };
    const { steps, status } = planWhole(input, NOW);
    assert.deepEqual(steps, []);
    const accepted = status([], NOW).conditions!.find(({ type }) => type === 'Accepted')!;
    assert.equal(accepted.reason, 'InvalidSpec');
    assert.match(accepted.message, new RegExp(`^spec: has ${specBytes(large.spec)} bytes as JSON`));
  });

  it('is not taken for one that only says so of itself', () => {
    const slice = aSlice();
    slice.metadata.annotations = { 'slice-operator.io/oversize': '999999' };
    const kept = transform!({ ...slice, metadata: reduceMetadata(slice) });
    assert.deepEqual(kept.spec, slice.spec);
    assert.deepEqual(planWhole(running(kept, nodes), NOW).steps.flat(), []);
    assert.equal(planWhole(running(kept, nodes), NOW).status([], NOW).conditions![1]!.status, 'True');
  });
});
