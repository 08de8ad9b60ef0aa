import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import { whyUnanswered } from '../../../operator/capability/unanswered.ts';
import type { NodeState } from '../../../operator/slice/plan/input.ts';
import { aNode, aRight, aSlice, at, denied, granted } from '../slice/objects.ts';

describe('a right that nobody answers', () => {
  const right = aRight(aSlice(), 'n1');
  const labelled = (node?: string): ResourceCapability => ({
    ...right,
    metadata: { ...right.metadata, labels: node === undefined ? {} : { 'slice-operator.io/node': node } },
  });
  const why = (of = right, ...nodes: NodeState[]) => whyUnanswered(of, new Map(nodes.map((node) => [node.name, node])));

  it('names a node that is not there, or no more', () => {
    assert.match(
      why()!.message,
      /^there is no node n1, so nobody answers: delete it, and ask one that is READY in kubectl get slicenodes$/,
    );
    assert.equal(why(right, aNode('n1', { uid: undefined }))!.reason, 'UnknownNode');
  });

  it('lacks the label of its node, or has that of none', () => {
    for (const one of [labelled(), labelled('n7')]) {
      assert.deepEqual(why(one, aNode('n1')), {
        reason: 'NoNodeLabel',
        message: `a node finds its rights by their label, and this has none: kubectl label rcap ${right.metadata.name} slice-operator.io/node=n1 --overwrite`,
      });
    }
    assert.equal(why(labelled('n2'), aNode('n1'), aNode('n2')), undefined, 'n2 answers');
  });

  it('is of a node whose manager is silent', () => {
    assert.deepEqual(why(right, aNode('n1', { lost: 'is not ready (KubeletDown)' })), {
      reason: 'NodeLost',
      message: 'n1 is not ready (KubeletDown)',
    });
  });

  it('is none that was answered, is about to be, or goes', () => {
    assert.equal(why(right, aNode('n1')), undefined);
    assert.equal(why(granted(right)), undefined);
    assert.equal(why(denied(labelled())), undefined);
    const going = { ...right, metadata: { ...right.metadata, deletionTimestamp: at(0) } };
    assert.equal(why(going), undefined);
  });
});
