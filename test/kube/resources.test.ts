import assert from 'node:assert/strict';
import { ApiError, isAlreadyExists, isGone, isStatus } from '../../kube/errors.ts';
import { keyOf, resourceOf, resourcePath, Resources } from '../../kube/resources.ts';

describe('resources', () => {
  it('have the paths that the API gives them', () => {
    const ref = { namespace: 'ns', name: 'x' };
    assert.equal(resourcePath(Resources.Pod, ref), '/api/v1/namespaces/ns/pods/x');
    assert.equal(resourcePath(Resources.Pod), '/api/v1/pods');
    assert.equal(resourcePath(Resources.Pod, { namespace: 'ns' }), '/api/v1/namespaces/ns/pods');
    assert.equal(
      resourcePath(Resources.Slice, { ...ref, subresource: 'status' }),
      '/apis/slice-operator.io/v1alpha1/namespaces/ns/slices/x/status',
    );
    assert.equal(
      resourcePath(Resources.SliceNode, ref),
      '/apis/slice-operator.io/v1alpha1/slicenodes/x',
      'a cluster-scoped kind is in no namespace',
    );
    assert.equal(resourcePath(Resources.Lease, ref), '/apis/coordination.k8s.io/v1/namespaces/ns/leases/x');
  });

  it('let no name reach beyond its place in the path', () => {
    assert.equal(
      resourcePath(Resources.Pod, { namespace: 'a/b', name: 'x?y#z' }),
      '/api/v1/namespaces/a%2Fb/pods/x%3Fy%23z',
    );
  });

  it('take nothing that names no single object for a name', () => {
    // the server takes DELETE of `.../pods/` for: all pods
    for (const name of ['', '.', '..']) {
      assert.throws(() => resourcePath(Resources.Pod, { namespace: 'ns', name }), /names no object of pods/);
    }
    assert.throws(() => resourcePath(Resources.Pod, { name: 'x' }), /names no object of pods/);
    assert.equal(resourcePath(Resources.Node, { name: 'x' }), '/api/v1/nodes/x');
  });

  it('are found by what an object says of itself', () => {
    assert.equal(resourceOf({ apiVersion: 'v1', kind: 'Pod' }), Resources.Pod);
    assert.throws(() => resourceOf({ apiVersion: 'v1', kind: 'Gadget' }), /Gadget is not in/);
  });

  it('have keys', () => {
    assert.equal(keyOf({ metadata: { namespace: 'ns', name: 'x' } }), 'ns/x');
    assert.equal(keyOf({ metadata: { name: 'x' } }), 'x');
  });
});

describe('ApiError', () => {
  const body = (reason: string, more = {}) => JSON.stringify({ kind: 'Status', reason, message: 'because', ...more });

  it('tells apart what has to be told apart', () => {
    const taken = new ApiError('POST x', 409, body('AlreadyExists'));
    const conflict = new ApiError('PUT x', 409, body('Conflict'));
    assert.deepEqual([isAlreadyExists(taken), isAlreadyExists(conflict)], [true, false]);
    assert.ok(isStatus(conflict, 404, 409) && !isStatus(conflict, 404) && !isStatus(new Error('409'), 409));
    assert.ok(isGone(new ApiError('LIST x', 410, '')) && isGone(new ApiError('WATCH x', 500, body('Expired'))));
    assert.ok(!isGone(conflict));
    assert.match(taken.message, /POST x: 409 AlreadyExists: because/);
  });

  it('reads how long to wait from the header or the body, and never more than a minute', () => {
    assert.equal(new ApiError('x', 429, '', '3').retryAfterMs, 3_000);
    assert.equal(new ApiError('x', 429, body('', { details: { retryAfterSeconds: 2 } })).retryAfterMs, 2_000);
    assert.equal(new ApiError('x', 429, '', '86400').retryAfterMs, 60_000);
    assert.equal(new ApiError('x', 429, '', 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterMs, undefined);
    assert.equal(new ApiError('x', 500, 'not JSON').retryAfterMs, undefined);
  });

  it('bounds what it repeats', () => {
    assert.ok(new ApiError('x', 502, '<html>'.repeat(10_000)).message.length < 600);
  });
});
