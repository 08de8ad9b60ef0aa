import assert from 'node:assert/strict';
import { API_VERSION } from '../../crds/names.ts';
import { reduceMetadata } from '../../kube/reduce.ts';

const MEGABYTE = 1024 * 1024;

describe('what is kept of metadata', () => {
  const owner = { apiVersion: API_VERSION, kind: 'Slice', name: 'web', uid: 'u' };
  const many = Array.from({ length: 10_000 }, (_, index) => [`label-${index}`, 'x'.repeat(60)]);

  it('is little, whatever a user writes into an object of ours', () => {
    const labels = { ...Object.fromEntries(many), 'slice-operator.io/node': 'n1', 'slice-operator.io/slice': 'web' };
    const annotations = { 'slice-operator.io/attempt': '3', 'slice-operator.io/more': 'x'.repeat(MEGABYTE) };
    const ownerReferences = [...Array.from({ length: 10_000 }, () => owner), { ...owner, controller: true }];
    const given = { name: 'a', namespace: 'ns', uid: 'u', finalizers: ['f'], labels, annotations, ownerReferences };
    const metadata = reduceMetadata({ apiVersion: API_VERSION, kind: 'ResourceCapability', metadata: given });
    assert.deepEqual(metadata, {
      name: 'a',
      namespace: 'ns',
      uid: 'u',
      finalizers: ['f'],
      labels: { 'slice-operator.io/node': 'n1', 'slice-operator.io/slice': 'web' },
      annotations: { 'slice-operator.io/attempt': '3' },
      ownerReferences: [{ ...owner, controller: true }],
    });
    const huge = { name: 'a', annotations: { 'slice-operator.io/attempt': '3'.repeat(MEGABYTE) } };
    assert.deepEqual(reduceMetadata({ apiVersion: API_VERSION, kind: 'Slice', metadata: huge }), { name: 'a' });
  });

  it('is every label of other kinds: nodes are chosen by any', () => {
    const metadata = { name: 'n1', labels: { zone: 'a' } };
    assert.deepEqual(reduceMetadata({ apiVersion: 'v1', kind: 'Node', metadata }), metadata);
  });
});
