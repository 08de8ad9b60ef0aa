/** What tests of the chart look for among its objects. */
import assert from 'node:assert/strict';
import type { Manifest } from './render.ts';

/** As much of a pod's spec as the chart uses. */
export interface PodSpec {
  serviceAccountName: string;
  priorityClassName: string;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  tolerations?: { operator?: string; key?: string }[];
  securityContext?: Record<string, unknown>;
  affinity?: { podAntiAffinity?: { preferredDuringSchedulingIgnoredDuringExecution?: unknown[] } };
  initContainers?: Container[];
  containers: Container[];
  volumes?: { name: string; hostPath?: { path: string; type: string } }[];
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe: { httpGet: { path: string; port: string | number; host?: string } };
  readinessProbe: { httpGet: { path: string; port: string | number; host?: string } };
  resources: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; mountPropagation?: string }[];
}

export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** The one object of a kind, by the end of its name where there are more. */
export function one(objects: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name.endsWith(ending));
  assert.equal(found.length, 1, `${found.length} of ${kind} *${ending}`);
  return found[0]!;
}

export function podSpec(workload: Manifest): PodSpec {
  return (workload.spec as { template: { spec: PodSpec } }).template.spec;
}

/** What the roles that are bound to a service account allow. */
export function rulesOf(objects: readonly Manifest[], account: string): { kind: string; rules: Rule[] }[] {
  return objects.flatMap((binding) => {
    if (!binding.kind.endsWith('RoleBinding')) return [];
    const { subjects, roleRef } = binding as unknown as {
      subjects: { kind: string; name: string }[];
      roleRef: { kind: string; name: string };
    };
    if (!subjects.some(({ kind, name }) => kind === 'ServiceAccount' && name === account)) return [];
    const role = objects.find(({ kind, metadata }) => kind === roleRef.kind && metadata.name === roleRef.name);
    assert.ok(role, `there is no ${roleRef.kind} ${roleRef.name}`);
    // a ClusterRole that a RoleBinding gives counts in its namespace alone
    return [{ kind: binding.kind.replace('Binding', ''), rules: role.rules as Rule[] }];
  });
}

/** `group/resource verb`, sorted: every single thing that rules allow. */
export function grantsIn(rules: readonly Rule[]): string[] {
  const all = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group === '' ? 'core' : group}/${resource} ${verb}`)),
    ),
  );
  return [...new Set(all)].toSorted();
}
