import assert from 'node:assert/strict';
import type { ApiClient } from '../../../kube/client.ts';
import { silentLog } from '../../../kube/log.ts';
import type { KubeObject, Resource } from '../../../kube/resources.ts';
import { MutableStore } from '../../../kube/store.ts';
import { capabilityReconciler } from '../../../operator/capability/reconcile.ts';
import type { Pod } from '../../../operator/kinds.ts';
import { type Stores, watched } from '../../../operator/stores.ts';
import { aPod, aRight, aSlice, at, granted } from '../slice/objects.ts';

describe('a pod that the stores show without its right', () => {
  const right = granted(aRight(aSlice(), 'n1'));
  const pod = aPod(aSlice(), right);

  /** What is deleted when the stores know the pod and no right, and the server knows these. */
  async function deleted(...objects: KubeObject[]): Promise<string[]> {
    const removed: string[] = [];
    const client = {
      get: async ({ kind }: Resource) => objects.find((one) => one.kind === kind),
      remove: async ({ kind }: Resource, { uid }: { uid?: string }) => void removed.push(`${kind} ${uid}`),
    } as unknown as ApiClient;
    const stores = Object.fromEntries(
      Object.entries(watched('slice-operator')).map(([kind, { indexes }]) => [
        kind,
        new MutableStore(indexes as never),
      ]),
    ) as unknown as Stores;
    (stores.pods as MutableStore<Pod>).put(pod);
    const deps = { client, stores, nodes: () => new Map(), recorder: { record: () => undefined }, log: silentLog() };
    await capabilityReconciler(deps)(`${pod.metadata.namespace}/${pod.metadata.name}`, new AbortController().signal);
    return removed;
  }

  const changed = (metadata: object): Pod => ({ ...pod, metadata: { ...pod.metadata, ...metadata } });

  it('is deleted where the server says the same', async () => {
    assert.deepEqual(await deleted(pod), [`Pod ${pod.metadata.uid}`]);
  });

  it('is left alone where its right is there after all', async () => {
    assert.deepEqual(await deleted(pod, right), []);
  });

  it('is not deleted twice: the store of pods may be behind the garbage collector', async () => {
    assert.deepEqual(await deleted(), []);
    assert.deepEqual(await deleted(changed({ deletionTimestamp: at(0) })), []);
    assert.deepEqual(await deleted(changed({ uid: 'another' })), []);
  });
});
