/** Which of the cluster's Sensors a node serves. */
import type { Sensor } from '../../crds/types.ts';
import { keyOf } from '../../kube/resources.ts';
import type { Sliver } from '../sliver.ts';

/** What a node serves of any one namespace, and of all; the oldest come first. */
const MAX_OF_NAMESPACE = 32;
const MAX_SERVED = 128;

/**
 * Which Sensors a node serves. Pure. Below Kubernetes 1.30 nothing else keeps file sensors to admins, so the node itself
 * does: one in another namespace than the release's is served by no node, whoever made it.
 */
export function planServed(
  sensors: readonly Sensor[],
  slivers: readonly Pick<Sliver, 'rcap' | 'slice' | 'standing'>[],
  { nodeName, releaseNamespace }: { nodeName: string; releaseNamespace: string },
): Sensor[] {
  const here = new Set(
    slivers
      .filter(({ standing, slice }) => standing === 'entitled' && slice !== undefined)
      .map(({ rcap, slice }) => `${rcap.namespace}/${slice}`),
  );
  const counts = new Map<string, number>();
  return sensors
    .filter(({ metadata, spec }) => {
      if (spec?.nodes && !spec.nodes.includes(nodeName)) return false;
      if (spec?.file) return metadata.namespace === releaseNamespace;
      return spec?.slice !== undefined && here.has(`${metadata.namespace}/${spec.slice}`);
    })
    .toSorted((a, b) => (age(a) < age(b) ? -1 : 1))
    .filter(({ metadata }) => {
      const { namespace = '' } = metadata;
      const count = (counts.get(namespace) ?? 0) + 1;
      counts.set(namespace, count);
      return count <= MAX_OF_NAMESPACE;
    })
    .slice(0, MAX_SERVED);
}

function age(sensor: Sensor): string {
  return `${sensor.metadata.creationTimestamp ?? ''} ${keyOf(sensor)}`;
}
