/** Which of the cluster's Sensors a node serves. */
import type { Sensor } from '../../crds/types.ts';
import { validateSensor } from '../../crds/validate.ts';
import { keyOf } from '../../kube/resources.ts';
import type { Sliver } from '../sliver.ts';

/** What a node serves of any one namespace, and of all: the release's first, then in turns of the namespaces, the oldest first. */
const MAX_OF_NAMESPACE = 32;
const MAX_SERVED = 128;

/**
 * Which Sensors a node serves; only valid ones. Pure. Below Kubernetes 1.30 nothing else keeps file sensors to admins, so the node itself
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
  const found = sensors
    .filter(({ metadata, spec }) => {
      if (spec?.nodes && !spec.nodes.includes(nodeName)) return false;
      if (spec?.file) return metadata.namespace === releaseNamespace;
      return spec?.slice !== undefined && here.has(`${metadata.namespace}/${spec.slice}`);
    })
    // one that nobody can read takes no other's place
    .filter((sensor) => validateSensor(sensor).length === 0)
    .toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
  const turns = [...Map.groupBy(found, ({ metadata }) => metadata.namespace)].flatMap(([namespace, own]) =>
    own.slice(0, MAX_OF_NAMESPACE).map((sensor, i) => ({ sensor, turn: namespace === releaseNamespace ? -1 : i })),
  );
  return turns
    .toSorted((a, b) => a.turn - b.turn)
    .slice(0, MAX_SERVED)
    .map(({ sensor }) => sensor);
}

function age(sensor: Sensor): string {
  return `${sensor.metadata.creationTimestamp ?? ''} ${keyOf(sensor)}`;
}
