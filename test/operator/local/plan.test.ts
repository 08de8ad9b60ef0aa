/** What the operator makes of a node's word that one of its slivers asks for something. */
import assert from 'node:assert/strict';
import { LocalRefused, MAX_LOCAL_RIGHTS } from '../../../crds/localrequest.ts';
import { LABEL_LOCAL, LABEL_NODE, localRcapName, rcapName } from '../../../crds/names.ts';
import type { LocalRequest, ResourceCapability } from '../../../crds/types.ts';
import { type AskerInput, type LocalInput, planAsker, planLocal, planReads } from '../../../operator/local/plan.ts';
import { aNode, aPod, aRight, aSlice, at, condition, granted } from '../slice/objects.ts';

const slice = aSlice();
const by = granted(aRight(slice, 'n1', { resources: { privileges: ['Capabilities'] } }));
const pod = aPod(slice, by);
const request: LocalRequest = {
  id: '1',
  operation: 'Acquire',
  namespace: 'site',
  right: by.metadata.name,
  rightUID: by.metadata.uid!,
  name: 'lab',
  spec: JSON.stringify({ resources: { cpu: { shares: 10 } } }),
};
const asker: AskerInput = { request, node: aNode('n1'), policy: { privileges: ['Capabilities'] }, by, pod };
const input: LocalInput = { request, by, target: undefined, from: undefined, count: 0 };

function refused(plan: () => unknown): string {
  try {
    plan();
  } catch (error) {
    if (error instanceof LocalRefused) return error.reason;
    throw error;
  }
  return 'not refused';
}

/** A right of the slice's local API, as the API server would show it. */
function made(name: string, spec: Partial<ResourceCapability['spec']> = {}, label = 'web'): ResourceCapability {
  const rcap = aRight(slice, 'n1', spec);
  const labels = { [LABEL_NODE]: 'n1', [LABEL_LOCAL]: label };
  const { sliceName: _, ...rest } = rcap.spec;
  const metadata = { name, namespace: 'site', uid: `uid-of-${name}`, labels };
  return { ...rcap, metadata, spec: { ...rest, ...(spec.sliceName && { sliceName: spec.sliceName }) } };
}

/** The same, as the node does not find it. */
function unseen(right: ResourceCapability): ResourceCapability {
  const { [LABEL_NODE]: _, ...labels } = right.metadata.labels ?? {};
  return { ...right, metadata: { ...right.metadata, labels } };
}

describe('who asks the operator over a node', () => {
  it('may, where the namespace, the owner and the operator’s own pod agree with the node', () => {
    assert.equal(planAsker(asker), by);
    assert.equal(planAsker({ ...asker, pod: { ...pod, status: { phase: 'Pending' } } }), by);
  });

  const withSpec = (spec: Partial<ResourceCapability['spec']>) => ({ ...by, spec: { ...by.spec, ...spec } });
  const withMeta = (metadata: object) => ({ ...by, metadata: { ...by.metadata, ...metadata } });
  const cases: [string, Partial<AskerInput>, string?][] = [
    ['without such a right', { by: undefined }],
    ['with the name of another right', { by: withMeta({ uid: 'another' }) }],
    ['for another namespace', { request: { ...request, namespace: 'other' } }],
    ['with a right that goes', { by: withMeta({ deletionTimestamp: at(0) }) }],
    ['with another node’s right', { node: aNode('n2') }],
    ['with a right that carries another node’s label', { by: withMeta({ labels: { [LABEL_NODE]: 'n2' } }) }],
    ['with what only the node says was granted', { by: withSpec({ resources: {} }) }],
    ['with what only the namespace asked for', { by: { ...by, status: granted(aRight(slice, 'n1')).status! } }],
    ['with what was not granted', { by: { ...by, status: { conditions: [condition('Granted', 'False', 'x')] } } }],
    ['with a grant of the node’s former life', { node: aNode('n1', { uid: 'anew' }) }],
    ['with a right that is bound to no slice', { by: withSpec({ sliceName: '' }) }],
    ['without a pod', { pod: undefined }],
    ['with a pod that ends', { pod: { ...pod, metadata: { ...pod.metadata, deletionTimestamp: at(0) } } }],
    ['with a pod that has ended', { pod: { ...pod, status: { phase: 'Failed' } } }],
    ['with a pod elsewhere', { pod: { ...pod, spec: { nodeName: 'n2' } } }],
    ['with a pod of somebody else’s', { pod: { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } } }],
    ['where the owner does not offer it', { policy: { privileges: ['RawSockets'] } }, 'PrivilegeNotOffered'],
    ['where the owner says nothing', { policy: {} }, 'PrivilegeNotOffered'],
  ];
  for (const [what, change, reason = 'NotPrivileged'] of cases) {
    it(`may not ${what}`, () =>
      assert.equal(
        refused(() => planAsker({ ...asker, ...change })),
        reason,
      ));
  }
});

describe('what a sliver asks the operator for', () => {
  const name = localRcapName('web', 'n1', 'lab');
  const plan = (change: Partial<LocalInput>, of: Partial<LocalRequest> = {}) =>
    planLocal({ ...input, ...change, request: { ...request, ...of } });

  it('is made in its namespace, on its node, under a name that nobody else’s can be', () => {
    const { object } = plan({}) as { kind: 'create'; object: ResourceCapability };
    const { contact } = by.spec;
    assert.deepEqual(object.metadata, {
      name,
      namespace: 'site',
      labels: { [LABEL_NODE]: 'n1', [LABEL_LOCAL]: 'web' },
    });
    assert.deepEqual(object.spec, { nodeName: 'n1', contact, resources: { cpu: { shares: 10 } } });
    assert.notEqual(localRcapName('web', 'n1', 'web'), rcapName('web', 'n1'));
    assert.equal(planReads(request, by).target, name);
  });

  it('may say nothing of node, namespace, labels, values or owners', () => {
    const spec = {
      nodeName: 'n2',
      namespace: 'other',
      redeem: 'x',
      valueSecret: 'y',
      metadata: {},
      contact: 'you@x.org',
    };
    const { object } = plan({}, { spec: JSON.stringify(spec) }) as { kind: 'create'; object: ResourceCapability };
    assert.deepEqual(object.spec, { nodeName: 'n1', contact: 'you@x.org' });
    assert.equal(object.metadata.namespace, 'site');
  });

  it('is done when it is there already, and refused when another is', () => {
    const same = made(name, { resources: { cpu: { shares: 10 } } });
    assert.deepEqual(plan({ target: same }), { kind: 'done' });
    for (const since of [{ sliceName: 'course' }, { valueSecret: 'x' }, { suspended: { reason: 'too loud' } }]) {
      assert.deepEqual(plan({ target: made(name, { ...same.spec, ...since }) }), { kind: 'done' });
    }
    for (const target of [
      made(name, { resources: { cpu: { shares: 11 } } }),
      made(name, { resources: { cpu: { shares: 10 } } }, 'other'),
      { ...same, metadata: { ...same.metadata, deletionTimestamp: at(0) } },
      unseen(same),
      { ...same, metadata: { ...same.metadata, labels: { [LABEL_NODE]: 'n2', [LABEL_LOCAL]: 'web' } } },
    ]) {
      assert.equal(
        refused(() => plan({ target })),
        'NameTaken',
      );
    }
    assert.throws(() => plan({ target: unseen(same) }), {
      message: `${name} is there without the label slice-operator.io/node: n1, so that its node can't see it`,
    });
  });

  it('is not too much', () => {
    assert.equal(plan({ count: MAX_LOCAL_RIGHTS - 1 }).kind, 'create');
    assert.equal(
      refused(() => plan({ count: MAX_LOCAL_RIGHTS })),
      'TooMany',
    );
  });

  it('has no privilege and no network that the sliver’s own right has not', () => {
    for (const resources of [{ privileges: ['Audit'] }, { network: 'Host' }]) {
      assert.equal(
        refused(() => plan({}, { spec: JSON.stringify({ resources }) })),
        'NotPrivileged',
      );
    }
    assert.equal(plan({}, { spec: '{"resources":{"privileges":["Capabilities"]}}' }).kind, 'create');
  });

  for (const spec of ['', '[', '[]', 'null', '{"resources":1}', '{"from":"x"}', '{"window":{"end":"soon"}}']) {
    it(`is refused as ${JSON.stringify(spec)}`, () =>
      assert.equal(
        refused(() => plan({}, { spec })),
        'Invalid',
      ));
  }
  for (const bad of ['', 'self', 'x'.repeat(41), '-x', 'a.b', '../x', 'X']) {
    it(`is refused under the name ${JSON.stringify(bad.slice(0, 9))}`, () =>
      assert.equal(
        refused(() => plan({}, { name: bad })),
        'Invalid',
      ));
  }

  it('is split from its own right, or from one that is its slice’s, and from no other', () => {
    const split = (from: ResourceCapability | undefined, text = JSON.stringify({ from: 'it' })) =>
      plan({ from }, { operation: 'Split', spec: text });
    for (const from of [by, made('it')]) {
      const { object } = split(from) as { kind: 'create'; object: ResourceCapability };
      assert.equal(object.spec.from, 'it');
    }
    const elsewhere = made('it', { nodeName: 'n2' });
    for (const from of [undefined, made('it', {}, 'other'), elsewhere]) {
      assert.equal(
        refused(() => split(from)),
        'NotFound',
      );
    }
    assert.equal(
      refused(() => split(by, '{}')),
      'Invalid',
    );
  });

  it('is bound once', () => {
    const target = made('it');
    const bind = (of: ResourceCapability | undefined, sliceName: unknown = 'course', uid = target.metadata.uid!) =>
      plan({ target: of }, { operation: 'Bind', name: 'it', uid, spec: JSON.stringify({ sliceName }) });
    assert.deepEqual({ ...bind(target), ref: undefined }, { kind: 'bind', ref: undefined, sliceName: 'course' });
    assert.deepEqual(bind(made('it', { sliceName: 'course' })), { kind: 'done' });
    assert.equal(
      refused(() => bind(made('it', { sliceName: 'other' }))),
      'AlreadyBound',
    );
    for (const sliceName of ['', 'A', 1, null, 'x'.repeat(53)]) {
      assert.equal(
        refused(() => bind(target, sliceName)),
        'Invalid',
      );
    }
    for (const other of [
      undefined,
      made('it', {}, 'other'),
      by,
      unseen(target),
      unseen(made('it', { sliceName: 'course' })),
    ]) {
      assert.equal(
        refused(() => bind(other)),
        'NotFound',
      );
    }
    assert.equal(
      refused(() => bind(target, 'course', 'another')),
      'NotFound',
    );
  });

  it('is released where it is that very right, and the slice’s', () => {
    const target = made('it');
    const release = (of: ResourceCapability | undefined, uid = target.metadata.uid!) =>
      plan({ target: of }, { operation: 'Release', name: 'it', uid });
    const { ref } = release(target) as { kind: 'release'; ref: { uid: string } };
    assert.equal(ref.uid, target.metadata.uid);
    assert.deepEqual(release(undefined), { kind: 'done' });
    assert.deepEqual(release(target, 'former'), { kind: 'done' });
    assert.equal(
      refused(() => release(made('it', {}, 'other'))),
      'NotFound',
    );
    assert.equal(
      refused(() => release(by, by.metadata.uid)),
      'NotFound',
    );
  });
});
