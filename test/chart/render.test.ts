/** The chart renders for every server that is supported, and each server gets what it can understand. */
import assert from 'node:assert/strict';
import { CRD_FILES, readCrd, schemaOf } from '../../crds/schemas.ts';
import { differingCopies } from './copies.ts';
import { checkValues, defaultValues, type Manifest, NAMESPACE, RELEASE, renderChart, type Values } from './render.ts';

const VERSIONS = ['1.20.2', '1.25.0', '1.30.0', '1.36.0'];

const EVERYTHING: Values = {
  image: {
    repository: 'registry.local/slice-operator',
    tag: 'dev',
    pullPolicy: 'Never',
    pullSecrets: [{ name: 'pull' }],
  },
  logLevel: 'debug',
  operator: {
    replicas: 3,
    nodeSelector: { role: 'control' },
    tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }],
    networkPolicy: true,
    audit: true,
    sensors: true,
  },
  node: { nodeSelector: { slices: 'yes' }, maxUnavailable: 3, systemBus: '', cgroupPrefix: 'a/b' },
  podMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '10s' },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboard: { enabled: true },
};

const CLUSTER_SCOPED = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'CSIDriver',
  'CustomResourceDefinition',
  'PriorityClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]);
const LABELS = ['name', 'instance', 'component', 'version', 'part-of', 'managed-by'];

const kinds = (objects: readonly Manifest[]): Set<string> => new Set(objects.map(({ kind }) => kind));

describe('the chart', () => {
  for (const kubeVersion of VERSIONS) {
    for (const [what, values] of [
      ['defaults', {}],
      ['everything on', EVERYTHING],
    ] as const) {
      it(`renders for ${kubeVersion} with ${what}`, async () => {
        const { objects } = await renderChart({ values, kubeVersion });
        const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
        assert.equal(new Set(names).size, names.length, `twice the same among ${names.join(', ')}`);
        for (const { apiVersion, kind, metadata } of objects) {
          assert.ok(apiVersion && metadata.name.length <= 63, `${kind} ${metadata.name}`);
          assert.equal(
            metadata.namespace,
            CLUSTER_SCOPED.has(kind) ? undefined : NAMESPACE,
            `${kind} ${metadata.name}`,
          );
          for (const label of LABELS) {
            assert.ok(metadata.labels?.[`app.kubernetes.io/${label}`], `${kind} ${metadata.name} has no ${label}`);
          }
        }
        for (const kind of ['PodMonitor', 'PrometheusRule', 'ConfigMap']) {
          assert.equal(kinds(objects).has(kind), what !== 'defaults', kind);
        }
        assert.ok(!JSON.stringify(objects).includes('<no value>'));
      });
    }
  }

  it('names its objects after the release', async () => {
    for (const [release, name] of [
      [RELEASE, RELEASE],
      ['east', 'east-slice-operator'],
    ] as const) {
      const { objects } = await renderChart({ kubeVersion: '1.30.0', release, namespace: 'elsewhere' });
      assert.equal(objects.find(({ kind }) => kind === 'DaemonSet')?.metadata.name, `${name}-node`);
      assert.equal(objects.find(({ kind }) => kind === 'DaemonSet')?.metadata.namespace, 'elsewhere');
    }
  });

  it('uses policy/v1 where the server has it', async () => {
    for (const [kubeVersion, apiVersion] of [
      ['1.20.2', 'policy/v1beta1'],
      ['1.21.0', 'policy/v1'],
      ['1.36.0', 'policy/v1'],
    ] as const) {
      const { objects } = await renderChart({ kubeVersion });
      assert.equal(objects.find(({ kind }) => kind === 'PodDisruptionBudget')?.apiVersion, apiVersion);
    }
  });

  it('takes versions with a provider’s suffix for what they are', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.4-gke.1348000' });
    assert.ok(kinds(objects).has('ValidatingAdmissionPolicy'));
  });
});

describe("the chart's CRDs", () => {
  it('are copies of those in crds/', () => assert.deepEqual(differingCopies(), []));

  for (const kubeVersion of [...VERSIONS, '1.28.9', '1.29.0']) {
    const hasRules = Number(kubeVersion.split('.')[1]) >= 29;
    it(`${hasRules ? 'have' : 'lack'} their CEL rules on ${kubeVersion}`, async () => {
      const { objects } = await renderChart({ kubeVersion });
      assert.deepEqual(rendered(objects), hasRules ? sources() : withoutRules(sources()));
    });
  }

  it('have or lack their CEL rules where the values say so', async () => {
    const always = await renderChart({ kubeVersion: '1.25.0', values: { crds: { validationRules: true } } });
    assert.deepEqual(rendered(always.objects), sources());
    const never = await renderChart({ kubeVersion: '1.36.0', values: { crds: { validationRules: false } } });
    assert.deepEqual(rendered(never.objects), withoutRules(sources()));
    assert.ok(JSON.stringify(sources()).includes('x-kubernetes-validations'));
  });

  it('stay when the chart is uninstalled, and can be left to others', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    const crds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
    assert.equal(crds.length, CRD_FILES.length);
    for (const { metadata } of crds) assert.equal(metadata.annotations?.['helm.sh/resource-policy'], 'keep');
    const others = await renderChart({ kubeVersion: '1.30.0', values: { crds: { install: false } } });
    assert.ok(!kinds(others.objects).has('CustomResourceDefinition'));
  });
});

describe("the chart's values", () => {
  it('are valid as they come', () => {
    assert.deepEqual(checkValues({}), []);
    assert.deepEqual(checkValues(EVERYTHING), []);
  });

  it('have a comment each', async () => {
    const { readFileSync } = await import('node:fs');
    const { CHART } = await import('./helm.ts');
    const lines = readFileSync(`${CHART}/values.yaml`, 'utf8').split('\n');
    assert.ok(lines.filter((line) => line.trim().startsWith('#')).length >= 20);
    assert.ok(!lines.some((line) => /\s$/.test(line)));
  });

  for (const section of ['', ...sections(defaultValues())]) {
    it(`refuse an unknown one in ${section || 'the top level'}`, () => {
      const path = [...section.split('.').filter(Boolean), 'nosuchvalue'];
      const values = path.reduceRight<unknown>((value, key) => ({ [key]: value }), true) as Values;
      assert.match(checkValues(values).join(), /nosuchvalue/);
    });
  }

  for (const [what, values] of Object.entries<Values>({
    'a string for a number': { operator: { replicas: 'two' } },
    'a port out of range': { node: { healthPort: 70000 } },
    'a level that pino lacks': { logLevel: 'loud' },
    'a policy that is neither': { image: { pullPolicy: 'Sometimes' } },
    'an image that is none': { image: { repository: 'bad image' } },
    'a relative path': { node: { kubeletDirectory: 'var/lib/kubelet' } },
    'a setting that is neither': { crds: { validationRules: 'perhaps' } },
  })) {
    it(`refuse ${what}`, () => assert.notDeepEqual(checkValues(values), []));
  }

  it('are refused before anything is rendered', async () => {
    await assert.rejects(renderChart({ kubeVersion: '1.30.0', values: { nosuchvalue: 1 } }), /nosuchvalue/);
  });
});

describe("the chart's notes", () => {
  const notes = async (kubeVersion: string, values: Values = {}): Promise<string> =>
    (await renderChart({ kubeVersion, values, engine: 'own' })).notes;

  it('say plainly where node managers are not tied to their nodes', async () => {
    assert.match(await notes('1.20.2'), /v1\.20\.2[^]*older than 1\.30/);
    assert.match(await notes('1.29.0'), /older than 1\.30/);
    for (const version of ['1.30.0', '1.36.0']) assert.doesNotMatch(await notes(version), /older/);
  });

  it('say where the server does not check the rules between fields', async () => {
    assert.match(await notes('1.28.0'), /older than 1\.29/);
    assert.doesNotMatch(await notes('1.29.0'), /older than 1\.29/);
  });
});

/** The paths of all maps of a fixed shape: those that are not free maps of labels, resources and the like. */
function sections(values: Values, path = ''): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isSection || /^(labels|nodeSelector|podAnnotations|requests|limits)$/.test(key)) return [];
    const below = path === '' ? key : `${path}.${key}`;
    return [below, ...sections(value as Values, below)];
  });
}

function sources(): Record<string, unknown> {
  const crds = CRD_FILES.map(readCrd);
  for (const crd of crds) assert.ok(schemaOf(crd).properties);
  return Object.fromEntries(crds.map(({ metadata, spec }) => [metadata.name, spec]));
}

function rendered(objects: readonly Manifest[]): Record<string, unknown> {
  const crds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
  return Object.fromEntries(crds.map(({ metadata, spec }) => [metadata.name, spec]));
}

function withoutRules<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, one: unknown) => (key === 'x-kubernetes-validations' ? undefined : one)),
  ) as T;
}
