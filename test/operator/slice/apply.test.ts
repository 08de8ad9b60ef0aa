import assert from 'node:assert/strict';
import type { ApiClient } from '../../../kube/client.ts';
import { ApiError } from '../../../kube/errors.ts';
import { silentLog } from '../../../kube/log.ts';
import { bootConfigMapName } from '../../../crds/names.ts';
import { controllerReference, type ConfigMap, type KubeObject } from '../../../operator/kinds.ts';
import { applySteps } from '../../../operator/slice/apply.ts';
import { Expectations } from '../../../operator/slice/expectations.ts';
import { nameKey } from '../../../operator/slice/plan/input.ts';
import { Taken } from '../../../operator/slice/taken.ts';
import { anInput, aNode, aRight, aSlice, granted, NOW, planWhole } from './objects.ts';

const KEY = 'site/web';

describe('a name that is somebody else’s', () => {
  const slice = aSlice({ sliver: { image: 'x', bootScript: 'true' } });
  const input = anInput(slice, [aNode('n1')], { capabilities: [granted(aRight(slice, 'n1'))] });
  const name = bootConfigMapName('web');
  const signal = new AbortController().signal;
  let now = 0;
  let theirs: ConfigMap | undefined;
  let made: string[];
  let taken: Taken;

  /** A server on which the ConfigMap's name is taken as long as `theirs` says so. */
  const client = {
    async create<T extends KubeObject>(object: T): Promise<T> {
      if (object.kind === 'ConfigMap' && theirs) {
        throw new ApiError('POST', 409, JSON.stringify({ reason: 'AlreadyExists' }));
      }
      made.push(object.kind);
      return { ...object, metadata: { ...object.metadata, uid: 'new', resourceVersion: '1' } };
    },
    get: async () => theirs,
  } as unknown as ApiClient;

  beforeEach(() => {
    [now, made, taken] = [0, [], new Taken(() => now)];
    const metadata = { name, namespace: 'site', uid: 'theirs' };
    theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} };
  });

  const carryOut = () => {
    const deps = { client, taken, log: silentLog(), expectations: new Expectations(() => now), onWritten: () => {} };
    const seen = { ...input, taken: { get: (key: string) => taken.get(KEY, key) } };
    return applySteps(KEY, planWhole(seen, NOW).steps, deps, signal);
  };

  it('keeps everything that needs the object from being made: a pod would mount what is theirs', async () => {
    assert.deepEqual(await carryOut(), { failures: [], again: false, taken: true });
    assert.deepEqual(made, []);
    assert.equal(taken.get(KEY, nameKey('ConfigMap', name)), theirs);
  });

  it('does so too while the one in the way is about to go', async () => {
    theirs!.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
    assert.deepEqual(await carryOut(), { failures: [], again: true, taken: false });
    assert.deepEqual(made, []);
  });

  it('stays theirs until a read says otherwise, however long that takes', async () => {
    await carryOut();
    for (let round = 0; round < 3; round++) {
      now += 30_000;
      assert.equal(taken.retryMs(KEY), 0);
      await taken.refresh(KEY, client, signal);
      assert.ok(taken.get(KEY, nameKey('ConfigMap', name)));
      await carryOut();
    }
    assert.deepEqual(made, []);
    theirs = undefined;
    now += 30_000;
    await taken.refresh(KEY, client, signal);
    assert.equal(taken.retryMs(KEY), undefined);
    await carryOut();
    assert.deepEqual(made, ['ConfigMap', 'Pod']);
  });

  it('is ours to try again when the object is another by then', async () => {
    await carryOut();
    theirs = { ...theirs!, metadata: { ...theirs!.metadata, ownerReferences: [controllerReference(slice)] } };
    now += 30_000;
    await taken.refresh(KEY, client, signal);
    assert.equal(taken.get(KEY, nameKey('ConfigMap', name)), undefined);
  });
});
