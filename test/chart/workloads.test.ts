/** How the two processes run: the operator locked down, the node manager with what it needs and says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DRIVER } from '../../crds/names.ts';
import { pathsOf, readConfig } from '../../node-daemonset/config.ts';
import { parseSiteShares } from '../../operator/site/sites.ts';
import { type Container, one, podSpec } from './objects.ts';
import { type Manifest, renderChart } from './render.ts';

const source = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

let objects: Manifest[];
before(async () => void ({ objects } = await renderChart({ kubeVersion: '1.30.0' })));

const containerOf = (kind: string): Container => podSpec(one(objects, kind)).containers[0]!;
const fields = ({ env }: Container): Record<string, string> =>
  Object.fromEntries(env.flatMap(({ name, valueFrom }) => (valueFrom ? [[name, valueFrom.fieldRef.fieldPath]] : [])));
const values = ({ env }: Container): Record<string, string> =>
  Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));

describe("the chart's operator", () => {
  it('fits the restricted profile', () => {
    const { containers, securityContext, hostNetwork, hostPID, hostIPC, volumes } = podSpec(one(objects, 'Deployment'));
    assert.equal(securityContext?.runAsNonRoot, true);
    assert.equal(securityContext?.runAsUser, 65532);
    assert.deepEqual(securityContext?.seccompProfile, { type: 'RuntimeDefault' });
    assert.ok(!hostNetwork && !hostPID && !hostIPC);
    assert.deepEqual(
      (volumes ?? []).filter(({ hostPath }) => hostPath),
      [],
    );
    assert.equal(containers.length, 1);
    assert.deepEqual(containers[0]!.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('runs twice, apart where it can, and is drained one at a time', () => {
    const { replicas } = one(objects, 'Deployment').spec as { replicas: number };
    assert.equal(replicas, 2);
    const { podAntiAffinity } = podSpec(one(objects, 'Deployment')).affinity ?? {};
    assert.deepEqual(Object.keys(podAntiAffinity ?? {}), ['preferredDuringSchedulingIgnoredDuringExecution']);
    assert.equal((one(objects, 'PodDisruptionBudget').spec as { maxUnavailable: number }).maxUnavailable, 1);
  });

  it('is told what it reads, and nothing that it does not', () => {
    const operator = containerOf('Deployment');
    assert.match(
      [...(operator.command ?? []), ...(operator.args ?? [])].join(' '),
      /\boperator\/main\.ts --controllers=\*$/,
    );
    assert.equal(fields(operator).NAMESPACE, 'metadata.namespace');
    assert.equal(fields(operator).POD_NAME, 'metadata.name');
    for (const { name } of operator.env) assert.match(source('operator/main.ts'), new RegExp(`\\b${name}\\b`), name);
  });

  it('is told what sites may hold: by default as much as a node gives one namespace', async () => {
    const told = (env: Record<string, string>) =>
      parseSiteShares(env.SITE_SHARES!, env.SITES_LABELLED!, env.SITES_NAMESPACES!);
    assert.deepEqual(told(values(containerOf('Deployment'))), {
      each: 250,
      labelled: new Map(),
      namespaces: new Map(),
    });
    const sites = { shares: 1000, labelled: { mit: 500 }, namespaces: { guests: 0 } };
    const { objects: changed } = await renderChart({ kubeVersion: '1.30.0', values: { sites } });
    assert.deepEqual(told(values(podSpec(one(changed, 'Deployment')).containers[0]!)), {
      each: 1000,
      labelled: new Map([['mit', 500]]),
      namespaces: new Map([['guests', 0]]),
    });
  });

  it('is probed where it listens', () => probesAreServed(containerOf('Deployment')));
});

describe("the chart's node manager", () => {
  it('has these privileges and no others', () => {
    const { containers, initContainers, hostNetwork, hostPID, hostIPC } = podSpec(one(objects, 'DaemonSet'));
    assert.deepEqual({ hostNetwork, hostPID, hostIPC }, { hostNetwork: true, hostPID: true, hostIPC: undefined });
    assert.deepEqual([containers.length, initContainers], [1, undefined]);
    const { privileged, readOnlyRootFilesystem } = containers[0]!.securityContext;
    assert.deepEqual({ privileged, readOnlyRootFilesystem }, { privileged: true, readOnlyRootFilesystem: true });
  });

  it('sees these paths of its node, each where the node has it', () => {
    const { containers, volumes } = podSpec(one(objects, 'DaemonSet'));
    const mounts = containers[0]!.volumeMounts!;
    for (const { name, hostPath } of volumes!) {
      const mount = mounts.find((one) => one.name === name);
      assert.equal(mount?.mountPath, hostPath?.path, `${name}: the kubelet and we speak of the same files`);
      assert.match(
        hostPath!.path,
        /^\/(var\/lib\/(slice-operator|kubelet)|run\/(slice-operator|dbus)|sys\/fs\/cgroup|etc\/slice-operator)(\/|$)/,
      );
    }
    assert.equal(mounts.find(({ mountPath }) => mountPath === '/etc/slice-operator')?.readOnly, true);
  });

  it('may mount where the kubelet wants slivers’ volumes, and finds its own files', () => {
    const container = containerOf('DaemonSet');
    const config = readConfig({ ...values(container), NODE_NAME: 'n', NAMESPACE: 'ns' });
    const mountOf = (path: string) =>
      container
        .volumeMounts!.filter(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))
        .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0];
    const pods = mountOf(`${config.kubeletDirectory}/pods`);
    assert.equal(pods?.mountPropagation, 'Bidirectional');
    for (const path of [...Object.values(pathsOf(config)), config.policyFile]) {
      assert.ok(mountOf(path), `${path} is in no volume`);
    }
  });

  it('is told what it reads, and nothing that it does not', () => {
    const container = containerOf('DaemonSet');
    assert.match([...(container.command ?? []), ...(container.args ?? [])].join(' '), /\bnode-daemonset\/main\.ts$/);
    assert.equal(fields(container).NODE_NAME, 'spec.nodeName');
    assert.equal(fields(container).NAMESPACE, 'metadata.namespace');
    const read = source('node-daemonset/config.ts') + source('node-daemonset/main.ts');
    for (const { name } of container.env) {
      if (name === 'HOST_IP') continue; // HEALTH_ADDRESS may refer to it
      assert.match(read, new RegExp(`\\b${name}\\b`), name);
    }
  });

  it('is probed where it listens, on loopback unless told otherwise', async () => {
    probesAreServed(containerOf('DaemonSet'));
    assert.equal(containerOf('DaemonSet').livenessProbe.httpGet.host, '127.0.0.1');
    for (const given of [{ podMonitor: { enabled: true } }, { node: { exposeMetrics: true } }]) {
      const { objects: exposed } = await renderChart({ kubeVersion: '1.30.0', values: given });
      const [container] = podSpec(one(exposed, 'DaemonSet')).containers;
      assert.equal(values(container!).HEALTH_ADDRESS, '$(HOST_IP)');
      assert.equal(container!.livenessProbe.httpGet.host, undefined);
    }
  });

  it('asks for little, has no CPU limit, and stays wherever slivers may be', () => {
    const { containers, tolerations } = podSpec(one(objects, 'DaemonSet'));
    const { requests, limits } = containers[0]!.resources;
    assert.deepEqual(Object.keys(requests!).toSorted(), ['cpu', 'memory']);
    assert.ok(Number(/^(\d+)m$/.exec(requests!.cpu!)?.[1]) <= 100, `${requests!.cpu} of every node`);
    assert.equal(limits?.cpu, undefined);
    assert.deepEqual(tolerations, [{ operator: 'Exists' }]);
    assert.equal(
      (one(objects, 'DaemonSet').spec as { updateStrategy: { type: string } }).updateStrategy.type,
      'RollingUpdate',
    );
  });
});

describe("the chart's page for strangers", () => {
  it('is not there unless it is asked for', () => {
    assert.equal(podSpec(one(objects, 'DaemonSet')).containers.length, 1);
    assert.equal(values(containerOf('DaemonSet')).AUDIT_PAGE, 'false');
  });

  it('has no right at all: no capability, no token, no file but the socket of the node manager', async () => {
    const rendered = await renderChart({ kubeVersion: '1.30.0', values: { node: { auditPage: true } } });
    const { containers, volumes } = podSpec(one(rendered.objects, 'DaemonSet'));
    assert.equal(values(containers[0]!).AUDIT_PAGE, 'true');
    const page = containers[1]!;
    assert.deepEqual(page.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.ok(page.volumeMounts!.every(({ readOnly }) => readOnly));
    const token = page.volumeMounts!.find(
      ({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount',
    );
    assert.equal(volumes!.find(({ name }) => name === token?.name)?.hostPath, undefined);
    const mounts = page.volumeMounts!.filter((mount) => mount !== token);
    const { auditSocket } = pathsOf(readConfig({ NODE_NAME: 'n', NAMESPACE: 'ns' }));
    assert.deepEqual(
      mounts.map(({ mountPath }) => mountPath),
      [dirname(auditSocket)],
    );
    assert.equal(volumes!.find(({ name }) => name === mounts[0]!.name)?.hostPath?.path, dirname(auditSocket));
    assert.equal(values(page).AUDIT_SOCKET, auditSocket);
    for (const { name } of page.env) {
      assert.match(source('node-daemonset/audit/page/main.ts'), new RegExp(`\\b${name}\\b`), name);
    }
  });

  it('leaves the published sensors no more than that', async () => {
    const rendered = await renderChart({ kubeVersion: '1.30.0', values: { node: { sensorPage: true } } });
    const { containers, volumes } = podSpec(one(rendered.objects, 'DaemonSet'));
    assert.equal(values(containers[0]!).SENSOR_PAGE, 'true');
    const page = containers[1]!;
    assert.deepEqual(page.args, ['node-daemonset/sensors/page/main.ts']);
    assert.deepEqual(page.securityContext?.capabilities, { drop: ['ALL'] });
    assert.equal(page.securityContext?.runAsNonRoot, true);
    const { sensorSocket } = pathsOf(readConfig({ NODE_NAME: 'n', NAMESPACE: 'ns' }));
    assert.equal(values(page).SENSOR_SOCKET, sensorSocket);
    assert.ok(page.volumeMounts!.every(({ readOnly }) => readOnly));
    const [socket, token] = page.volumeMounts!.map((mount) => ({
      ...mount,
      volume: volumes!.find(({ name }) => name === mount.name)!,
    }));
    assert.deepEqual([page.volumeMounts!.length, socket!.mountPath], [2, dirname(sensorSocket)]);
    assert.equal(socket!.volume.hostPath?.path, dirname(sensorSocket));
    // an empty directory in the place of the token
    assert.ok(token!.mountPath.endsWith('/serviceaccount') && 'emptyDir' in token!.volume);
  });
});

describe("the chart's question to all nodes", () => {
  it('is a Service where it is asked for, and no open port otherwise', async () => {
    assert.equal(values(containerOf('Deployment')).AUDIT_PORT, '');
    assert.deepEqual(
      objects.filter(({ kind }) => kind === 'Service'),
      [],
    );
    const rendered = await renderChart({ kubeVersion: '1.30.0', values: { operator: { audit: true } } });
    const { type, ports } = one(rendered.objects, 'Service').spec as { type: string; ports: { targetPort: string }[] };
    assert.equal(type, 'ClusterIP');
    const operator = podSpec(one(rendered.objects, 'Deployment')).containers[0]!;
    const port = operator.ports?.find(({ name }) => name === ports[0]!.targetPort)?.containerPort;
    assert.equal(String(port), values(operator).AUDIT_PORT);
  });
});

describe("the chart's other objects", () => {
  it('give each workload a priority class of its own that exists, the node managers the higher', () => {
    const valueOf = (kind: string): number => {
      const name = podSpec(one(objects, kind)).priorityClassName;
      return objects.find((one) => one.kind === 'PriorityClass' && one.metadata.name === name)?.value as number;
    };
    assert.ok(valueOf('DaemonSet') > valueOf('Deployment') && valueOf('Deployment') > 0);
  });

  it('tell the kubelet to say whose pod a volume is for, inline only', () => {
    const { metadata, spec } = one(objects, 'CSIDriver');
    assert.equal(metadata.name, DRIVER);
    const { attachRequired, podInfoOnMount, volumeLifecycleModes } = spec as Record<string, unknown>;
    assert.deepEqual(
      { attachRequired, podInfoOnMount, volumeLifecycleModes },
      { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral'] },
    );
    assert.equal(metadata.labels?.['security.openshift.io/csi-ephemeral-volume-profile'], 'restricted');
  });

  it('select the pods that there are', () => {
    for (const kind of ['Deployment', 'DaemonSet']) {
      const { selector, template } = one(objects, kind).spec as {
        selector: { matchLabels: Record<string, string> };
        template: { metadata: { labels: Record<string, string> } };
      };
      assert.ok(Object.keys(selector.matchLabels).length >= 3);
      for (const [key, value] of Object.entries(selector.matchLabels))
        assert.equal(template.metadata.labels[key], value);
    }
    const { selector } = one(objects, 'PodDisruptionBudget').spec as { selector: unknown };
    assert.deepEqual(selector, (one(objects, 'Deployment').spec as { selector: unknown }).selector);
  });
});

/** Both probes go to the port that the process is told to listen on. */
function probesAreServed(container: Container): void {
  const { livenessProbe, readinessProbe, ports } = container;
  for (const [{ httpGet }, path] of [
    [livenessProbe, '/healthz'],
    [readinessProbe, '/readyz'],
  ] as const) {
    const named = ports?.find(({ name }) => name === httpGet.port)?.containerPort;
    assert.equal(String(named ?? httpGet.port), values(container).HEALTH_PORT);
    assert.equal(httpGet.path, path);
  }
}
