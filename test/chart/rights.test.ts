/** What the operator, the node managers and users may do: that, and nothing else. */
import assert from 'node:assert/strict';
import { HOST_NETWORK_ALLOWED, LABEL_HOST_NETWORK } from '../../crds/names.ts';
import { Resources } from '../../kube/resources.ts';
import { watched } from '../../operator/stores.ts';
import { grantsIn, one, podSpec, type Rule, rulesOf } from './objects.ts';
import { type Manifest, NAMESPACE, renderChart } from './render.ts';

const GROUP = 'slice-operator.io';
const LEASES = 'coordination.k8s.io/leases';

const WRITES = /^(create|update|patch|delete|deletecollection)$/;

describe("the chart's rights", () => {
  let objects: Manifest[];
  before(async () => void ({ objects } = await renderChart({ kubeVersion: '1.30.0' })));

  const accountOf = (kind: string): string => podSpec(one(objects, kind)).serviceAccountName;
  const rightsOf = (kind: string, role: 'ClusterRole' | 'Role'): string[] =>
    grantsIn(rulesOf(objects, accountOf(kind)).flatMap((bound) => (bound.kind === role ? bound.rules : [])));

  it('have no wildcard, and nothing about secrets, roles, tokens or execution', () => {
    const roles = objects.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    assert.ok(roles.length >= 6);
    for (const { metadata, rules } of roles) {
      for (const rule of rules as Rule[]) {
        const words = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
        assert.ok(!words.some((word) => word.includes('*')), `${metadata.name}: ${words.join(' ')}`);
        assert.doesNotMatch(words.join(' '), /secrets|exec|attach|token|escalate|bind|impersonate|rbac/);
      }
    }
  });

  it('let a node manager do exactly this', () => {
    assert.deepEqual(rightsOf('DaemonSet', 'ClusterRole'), [
      'core/events create',
      'core/events patch',
      `${GROUP}/resourcecapabilities get`,
      `${GROUP}/resourcecapabilities list`,
      `${GROUP}/resourcecapabilities watch`,
      `${GROUP}/resourcecapabilities/status patch`,
      `${GROUP}/sensors get`,
      `${GROUP}/sensors list`,
      `${GROUP}/sensors watch`,
      `${GROUP}/slicenodes get`,
      `${GROUP}/slicenodes list`,
      `${GROUP}/slicenodes watch`,
      `${GROUP}/slicenodes/status patch`,
    ]);
    assert.deepEqual(rightsOf('DaemonSet', 'Role'), [`${LEASES} create`, `${LEASES} patch`]);
  });

  it('let the operator list and watch all that it watches, and Leases in its own namespace only', () => {
    const cluster = rightsOf('Deployment', 'ClusterRole');
    const own = rightsOf('Deployment', 'Role');
    for (const { resource, namespace } of Object.values(watched(NAMESPACE))) {
      const group = resource.apiVersion.includes('/') ? resource.apiVersion.split('/')[0] : 'core';
      for (const verb of ['get', 'list', 'watch']) {
        const rights = namespace === undefined ? cluster : own;
        assert.ok(rights.includes(`${group}/${resource.plural} ${verb}`), `${verb} ${resource.plural}`);
      }
    }
    assert.ok(own.every((right) => right.startsWith(`${LEASES} `)));
    assert.ok(!cluster.some((right) => right.startsWith(LEASES)));
  });

  it('let the operator write this, and nothing else', () => {
    const written = new Set(
      rightsOf('Deployment', 'ClusterRole')
        .filter((right) => WRITES.test(right.split(' ')[1]!))
        .map((right) => right.split(' ')[0]!),
    );
    assert.deepEqual([...written].toSorted(), [
      'core/configmaps',
      'core/events',
      'core/pods',
      `${GROUP}/resourcecapabilities`,
      `${GROUP}/resourcecapabilities/finalizers`,
      `${GROUP}/restraints`,
      `${GROUP}/sensors/status`,
      `${GROUP}/slicenodepolicies/status`,
      `${GROUP}/slicenodes`,
      `${GROUP}/slicenodes/status`,
      `${GROUP}/slices`,
      `${GROUP}/slices/finalizers`,
      `${GROUP}/slices/status`,
      `${GROUP}/watchdogs/finalizers`,
      `${GROUP}/watchdogs/status`,
    ]);
  });

  it('never let the operator say what only a node can, nor delete an owner’s policy, nor read all ConfigMaps', () => {
    const rights = rightsOf('Deployment', 'ClusterRole');
    for (const right of [
      `${GROUP}/resourcecapabilities/status patch`,
      `${GROUP}/slicenodepolicies patch`,
      `${GROUP}/slicenodes delete`,
      `${GROUP}/slices create`,
      `${GROUP}/slices delete`,
      `${GROUP}/watchdogs create`,
      `core/${Resources.ConfigMap.plural} list`,
      'core/pods patch',
      'core/pods update',
      `core/${Resources.Node.plural} patch`,
    ]) {
      assert.ok(!rights.includes(right), right);
    }
  });

  it('let the operator delete Slices only where the owner of the cluster says so', async () => {
    const { objects: asked } = await renderChart({
      kubeVersion: '1.30.0',
      values: { operator: { terminateSlices: true } },
    });
    const role = one(asked, 'ClusterRole', 'slice-operator');
    assert.ok(grantsIn(role.rules as Rule[]).includes(`${GROUP}/slices delete`));
  });

  it('let the operator read and make Secrets, and write into the status of rights, only where transfers are wanted', async () => {
    const render = async (kubeVersion: string) =>
      (await renderChart({ kubeVersion, values: { operator: { transfers: true } } })).objects;
    const asked = await render('1.30.0');
    const rights = grantsIn(one(asked, 'ClusterRole', 'slice-operator').rules as Rule[]);
    const more = rights.filter((right) => !rightsOf('Deployment', 'ClusterRole').includes(right));
    assert.deepEqual(more.toSorted(), [
      'core/secrets create',
      'core/secrets get',
      `${GROUP}/resourcecapabilities/status patch`,
    ]);
    const policies = (of: Manifest[]) => of.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy').length;
    assert.equal(policies(asked), policies(objects) + 1, 'and there a policy holds it to their values and digests');
    assert.equal(policies(await render('1.29.0')), 0);
  });

  it('let nobody restrain slices by a right in a namespace: only a role of its own does', () => {
    for (const { metadata, rules } of objects.filter(({ kind }) => kind === 'ClusterRole')) {
      const writes = grantsIn(rules as Rule[]).some((right) => /(restraints|watchdogs) create$/.test(right));
      const isMeant = metadata.name.endsWith('-warden') || metadata.name === accountOf('Deployment');
      assert.equal(writes, isMeant, metadata.name);
      const aggregated = Object.keys(metadata.labels ?? {}).some((label) => label.includes('aggregate-to'));
      if (writes) assert.ok(!aggregated, metadata.name);
    }
  });

  it('let owners alone write what nodes offer, and no right in a namespace', () => {
    for (const { metadata, rules } of objects.filter(({ kind }) => kind === 'ClusterRole')) {
      const rights = grantsIn(rules as Rule[]);
      const isOwner = metadata.name.endsWith('-owner');
      for (const right of [`${GROUP}/slicenodes update`, `${GROUP}/slicenodepolicies create`]) {
        assert.equal(rights.includes(right), isOwner, `${metadata.name}: ${right}`);
      }
      if (isOwner) assert.ok(!Object.keys(metadata.labels ?? {}).some((label) => label.includes('aggregate-to')));
    }
    assert.ok(!rightsOf('DaemonSet', 'ClusterRole').some((right) => right.includes('slicenodepolicies')));
  });

  it('let view read, edit and admin write slices and rcaps, and nobody their status', () => {
    const of = (aggregate: string): string[] =>
      grantsIn(
        objects
          .filter(({ metadata }) => metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${aggregate}`] === 'true')
          .flatMap(({ rules }) => rules as Rule[]),
      );
    const read = ['resourcecapabilities', 'sensors', 'slices'].flatMap((kind) =>
      ['get', 'list', 'watch'].map((verb) => `${GROUP}/${kind} ${verb}`),
    );
    assert.deepEqual(of('view'), read);
    for (const role of ['edit', 'admin']) {
      for (const right of read.map((one) => one.replace(/\w+$/, 'create'))) assert.ok(of(role).includes(right), right);
      assert.ok(!of(role).some((right) => right.includes('/status')));
    }
  });

  it('mount no token into a pod by default: each workload asks for its own', () => {
    const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount');
    assert.equal(accounts.length, 2);
    for (const account of accounts) assert.equal(account.automountServiceAccountToken, false);
  });
});

describe('the admission policy of node managers', () => {
  const POLICY = ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'];
  const has = async (kubeVersion: string, admissionPolicy: 'auto' | boolean): Promise<boolean> => {
    const { objects } = await renderChart({ kubeVersion, values: { admissionPolicy } });
    const found = POLICY.filter((kind) => objects.some((object) => object.kind === kind));
    assert.ok(found.length === 0 || found.length === POLICY.length, 'a policy needs its binding');
    return found.length > 0;
  };

  it('is there from 1.30 on, or as the values say', async () => {
    for (const version of ['1.20.2', '1.25.0', '1.29.9']) assert.equal(await has(version, 'auto'), false, version);
    for (const version of ['1.30.0', '1.36.0']) assert.equal(await has(version, 'auto'), true, version);
    assert.equal(await has('1.36.0', false), false);
    assert.equal(await has('1.29.0', true), true);
  });

  it('is about the node managers’ account, denies, and closes when it fails', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    const policy = one(objects, 'ValidatingAdmissionPolicy', '-node');
    const { spec } = policy as unknown as {
      spec: {
        failurePolicy: string;
        matchConditions: { expression: string }[];
        matchConstraints: { resourceRules: { resources: string[]; apiGroups: string[] }[] };
      };
    };
    const account = podSpec(one(objects, 'DaemonSet')).serviceAccountName;
    assert.equal(spec.failurePolicy, 'Fail');
    assert.equal(spec.matchConditions.length, 1);
    assert.ok(spec.matchConditions[0]!.expression.includes(`"system:serviceaccount:${NAMESPACE}:${account}"`));
    assert.match(JSON.stringify(spec), /authentication\.kubernetes\.io\/node-name/);
    const groups = spec.matchConstraints.resourceRules.flatMap(({ apiGroups }) => apiGroups).toSorted();
    assert.deepEqual(groups, ['coordination.k8s.io', GROUP]);
    const binding = one(objects, 'ValidatingAdmissionPolicyBinding', '-node').spec as Record<string, unknown>;
    assert.deepEqual(binding, { policyName: policy.metadata.name, validationActions: ['Deny'] });
  });
});

describe('the admission policy of the nodes’ network', () => {
  it('asks for the label that the operator asks for, denies, and keeps the label from tenants', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    const policy = one(objects, 'ValidatingAdmissionPolicy', '-host-network');
    const { spec } = policy as unknown as {
      spec: { failurePolicy: string; validations: { expression: string }[]; matchConstraints: unknown };
    };
    assert.equal(spec.failurePolicy, 'Fail');
    const [asks, label] = spec.validations;
    assert.ok(
      asks!.expression.includes(
        `namespaceObject.metadata.labels["${LABEL_HOST_NETWORK}"] == "${HOST_NETWORK_ALLOWED}"`,
      ),
    );
    assert.ok(label!.expression.includes('resource("slicenodes").check("update").allowed()'));
    assert.match(JSON.stringify(spec.matchConstraints), /"slices","resourcecapabilities".*"namespaces"/);
    const binding = one(objects, 'ValidatingAdmissionPolicyBinding', '-host-network').spec as Record<string, unknown>;
    assert.deepEqual(binding, { policyName: policy.metadata.name, validationActions: ['Deny'] });
  });

  it('covers what users may write: they can label no namespace by a right of ours', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    for (const role of objects.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')) {
      for (const rule of role.rules as Rule[]) {
        if (!rule.resources.some((resource) => resource.startsWith('namespaces'))) continue;
        assert.ok(!rule.verbs.some((verb) => WRITES.test(verb)), role.metadata.name);
      }
    }
  });
});
