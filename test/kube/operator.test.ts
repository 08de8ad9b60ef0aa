import assert from 'node:assert/strict';
import type { ApiClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { silentLog } from '../../kube/log.ts';
import { KubeOperator, type ResourceEvent } from '../../kube/operator.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';

const FINALIZER = 'example.org/f';

/** A client whose lists are these objects, whose watches never tell anything, and which records its patches. */
class StubClient {
  readonly patches: { path: string; patch: unknown }[] = [];
  objects: KubeObject[] = [];
  refusal: Error | undefined;

  request(): Promise<unknown> {
    return Promise.resolve({ metadata: { resourceVersion: '10' }, items: this.objects });
  }

  async stream(_path: string, _query: unknown, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }

  patch(_resource: unknown, ref: { namespace: string; name: string }, patch: unknown): Promise<unknown> {
    if (this.refusal) return Promise.reject(this.refusal);
    this.patches.push({ path: `${ref.namespace}/${ref.name}`, patch });
    return Promise.resolve({});
  }
}

class TestOperator extends KubeOperator {
  readonly events: ResourceEvent[] = [];
  readonly stub: StubClient;
  synced: Promise<void> | undefined;

  constructor(stub: StubClient) {
    super(stub as unknown as ApiClient, silentLog());
    this.stub = stub;
  }

  protected override async init(): Promise<void> {
    const informer = await this.follow({ resource: Resources.Slice, onEvent: (event) => this.events.push(event) });
    this.synced = informer.whenSynced();
  }

  finalize(object: KubeObject, action: () => Promise<void> = () => Promise.resolve()): Promise<boolean> {
    return this.handleResourceFinalizer(this.eventOf(Resources.Slice, object), FINALIZER, action);
  }

  unsupported(): (() => unknown)[] {
    return [
      () => this.registerCustomResourceDefinition(),
      () => this.watchResource(),
      () => this.patchResourceStatus(),
      () => this.setResourceStatus(),
    ];
  }

  uri(namespace?: string): string {
    return this.getCustomResourceApiUri('slice-operator.io', 'v1alpha1', 'slices', namespace);
  }
}

function slice(metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
  const { apiVersion, kind } = Resources.Slice;
  return { apiVersion, kind, metadata: { namespace: 'ns', name: 's', uid: 'u', resourceVersion: '7', ...metadata } };
}

describe('KubeOperator', () => {
  let stub: StubClient;
  let operator: TestOperator;
  beforeEach(async () => {
    stub = new StubClient();
    stub.objects = [slice()];
    operator = new TestOperator(stub);
    await operator.start();
    await operator.synced;
  });
  afterEach(() => operator.stop());

  it('starts by init, and tells of what it follows in the library’s terms', () => {
    assert.deepEqual(
      operator.events.map(({ type, meta }) => [type, meta.id, meta.namespace, meta.name, meta.resourceVersion]),
      [['ADDED', 'slices.slice-operator.io/v1alpha1', 'ns', 's', '7']],
    );
  });

  it('adds the finalizer for the very version that was read, and leaves the cached object alone', async () => {
    const cached = slice({ finalizers: ['other'] });
    const before = structuredClone(cached);
    assert.equal(await operator.finalize(cached), true);
    assert.deepEqual(cached, before);
    const metadata = { resourceVersion: '7', finalizers: ['other', FINALIZER] };
    assert.deepEqual(stub.patches, [{ path: 'ns/s', patch: { metadata } }]);
  });

  it('has nothing to do where the finalizer is there', async () => {
    assert.equal(await operator.finalize(slice({ finalizers: [FINALIZER] })), false);
    assert.deepEqual(stub.patches, []);
  });

  it('takes only its own finalizer away, after the deletion was dealt with', async () => {
    const deleting = slice({ deletionTimestamp: '2026-11-01T00:00:00Z', finalizers: ['other', FINALIZER] });
    let patchesBefore = -1;
    await operator.finalize(deleting, async () => {
      patchesBefore = stub.patches.length;
    });
    assert.equal(patchesBefore, 0);
    const metadata = { resourceVersion: '7', finalizers: ['other'] };
    assert.deepEqual(stub.patches, [{ path: 'ns/s', patch: { metadata } }]);
  });

  it('keeps the finalizer where the deletion could not be dealt with', async () => {
    const deleting = slice({ deletionTimestamp: '2026-11-01T00:00:00Z', finalizers: [FINALIZER] });
    await assert.rejects(
      operator.finalize(deleting, () => Promise.reject(new Error('not yet'))),
      /not yet/,
    );
    assert.deepEqual(stub.patches, []);
  });

  it('passes a conflict on, for the caller to try again', async () => {
    stub.refusal = new ApiError('PATCH s', 409, '{"reason":"Conflict"}');
    await assert.rejects(operator.finalize(slice()), { status: 409 });
  });

  it('has addresses that begin at the API, not at `undefined`', () => {
    assert.equal(operator.uri('ns'), '/apis/slice-operator.io/v1alpha1/namespaces/ns/slices');
    assert.equal(operator.uri(), '/apis/slice-operator.io/v1alpha1/slices');
  });

  it('does not offer what would break it, and says what to do instead', () => {
    for (const call of operator.unsupported()) assert.throws(call, /by `follow`|by the chart|server-side apply/);
  });
});
