import assert from 'node:assert/strict';
import { MutableStore } from '../../../kube/store.ts';
import type { KubeObject } from '../../../kube/resources.ts';
import { gather } from '../../../operator/slice/gather.ts';
import { Taken } from '../../../operator/slice/taken.ts';
import { watched, type Kinds, type Stores } from '../../../operator/stores.ts';
import { aNode, aPod, aRight, aSlice, granted, NOW, planWhole } from './objects.ts';

describe('what is gathered of a slice', () => {
  const slice = aSlice({ placement: { count: 1 } });
  const right = granted(aRight(slice, 'n1'));
  const pod = aPod(slice, right);
  /** The same with the same owner references, in somebody else's namespace, or of another kind of owner. */
  const elsewhere = <T extends KubeObject>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, namespace: 'attacker', uid: `${object.metadata.uid}-forged` },
  });
  const ofOther = <T extends KubeObject>(object: T, name: string): T => {
    const ownerReferences = object.metadata.ownerReferences!.map((one) => ({ ...one, kind: 'Other' }));
    return { ...object, metadata: { ...object.metadata, name, uid: name, ownerReferences } };
  };

  function gathered(objects: Partial<Record<keyof Kinds, KubeObject[]>>) {
    const stores = Object.fromEntries(
      Object.entries(watched('slice-system')).map(([kind, { indexes }]) => {
        const store = new MutableStore<KubeObject>(indexes as never);
        for (const object of objects[kind as keyof Kinds] ?? []) store.put(object);
        return [kind, store];
      }),
    ) as unknown as Stores;
    // of a node that was deleted its owner's policy is kept
    const gone = { ...aNode('n2'), uid: undefined };
    const nodes = new Map([aNode('n1'), gone].map((node) => [node.name, node]));
    return gather('site/web', stores, nodes, {
      taken: new Taken(() => 0),
      bootScript: undefined,
      brokering: true,
      books: {
        poolOf: (_slice, count) => ({ site: 'site', perNode: 100, nodes: count, others: [], isWaiting: false }),
      },
    })!;
  }

  it('is what it controls in its own namespace, whatever others write into their owner references', () => {
    const input = gathered({
      slices: [slice],
      capabilities: [right, elsewhere(right), ofOther(right, 'web-other')],
      pods: [pod, elsewhere(pod), ofOther(pod, 'web-another')],
    });
    assert.deepEqual(input.capabilities, [right]);
    assert.deepEqual([...input.pods.values()], [pod]);
    assert.deepEqual(planWhole(input, NOW).steps.flat(), [], 'nothing is released for what is not its own');
  });

  it('counts in a pool the nodes that there are', () => {
    assert.equal(gathered({ slices: [slice] }).pool?.nodes, 1);
  });

  it('has a right of its name under another kind of owner as somebody else’s', () => {
    const input = gathered({ slices: [slice], capabilities: [ofOther(right, right.metadata.name)] });
    assert.ok(input.taken.get(`ResourceCapability/${right.metadata.name}`));
  });
});
