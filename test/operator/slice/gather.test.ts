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
    return gather('site/web', stores, new Map([['n1', aNode('n1')]]), {
      taken: new Taken(() => 0),
      bootScript: undefined,
      brokering: true,
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

  it('has a right of its name under another kind of owner as somebody else’s', () => {
    const input = gathered({ slices: [slice], capabilities: [ofOther(right, right.metadata.name)] });
    assert.ok(input.taken.get(`ResourceCapability/${right.metadata.name}`));
  });
});
