/** Where the kinds that we use live in the API; a table, so that no discovery request is ever made. */
import { API_VERSION } from '../crds/names.ts';
import type { ObjectMeta } from '../crds/meta.ts';

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface Resource {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}

const of = (apiVersion: string, kind: string, plural: string, namespaced: boolean): Resource => ({
  apiVersion,
  kind,
  plural,
  namespaced,
});

export const Resources = {
  Slice: of(API_VERSION, 'Slice', 'slices', true),
  ResourceCapability: of(API_VERSION, 'ResourceCapability', 'resourcecapabilities', true),
  Sensor: of(API_VERSION, 'Sensor', 'sensors', true),
  SliceNode: of(API_VERSION, 'SliceNode', 'slicenodes', false),
  SliceNodePolicy: of(API_VERSION, 'SliceNodePolicy', 'slicenodepolicies', false),
  Restraint: of(API_VERSION, 'Restraint', 'restraints', false),
  Watchdog: of(API_VERSION, 'Watchdog', 'watchdogs', false),
  Pod: of('v1', 'Pod', 'pods', true),
  ConfigMap: of('v1', 'ConfigMap', 'configmaps', true),
  Secret: of('v1', 'Secret', 'secrets', true),
  Node: of('v1', 'Node', 'nodes', false),
  Namespace: of('v1', 'Namespace', 'namespaces', false),
  Event: of('v1', 'Event', 'events', true),
  Lease: of('coordination.k8s.io/v1', 'Lease', 'leases', true),
} as const;

/** What names one object; with a uid it names that very object and no later one of the same name. */
export interface ObjectRef {
  namespace?: string | undefined;
  name: string;
  uid?: string | undefined;
}

export function resourceOf(object: { apiVersion: string; kind: string }): Resource {
  const found = Object.values(Resources).find(
    (one) => one.apiVersion === object.apiVersion && one.kind === object.kind,
  );
  if (!found) throw new Error(`${object.apiVersion} ${object.kind} is not in kube/resources.ts: add it there`);
  return found;
}

/** `/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>/<subresource>`, as far as the parts are given. */
export function resourcePath(
  resource: Resource,
  { namespace, name, subresource }: { namespace?: string | undefined; name?: string; subresource?: string } = {},
): string {
  // an empty name would make the request one for the whole collection: a DELETE would take everything
  if (name !== undefined && (/^\.{0,2}$/.test(name) || (resource.namespaced && !namespace))) {
    throw new Error(`${JSON.stringify({ namespace, name })} names no object of ${resource.plural}`);
  }
  const parts = [resource.apiVersion.includes('/') ? 'apis' : 'api', ...resource.apiVersion.split('/')];
  if (resource.namespaced && namespace) parts.push('namespaces', namespace);
  parts.push(resource.plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** `namespace/name`, or `name` for what is cluster-scoped: the key of stores and queues. */
export function keyOf(object: { metadata: { namespace?: string; name: string } }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}
