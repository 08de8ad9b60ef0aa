/**
 * What a node keeps of the cluster's Sensors. It hears of all of them, and whoever may write some may write thousands: so of
 * those that it can't serve, and of those beyond a number for each namespace, it keeps no more than that they are there.
 */
import type { Sensor } from '../../crds/types.ts';
import { validateSensor } from '../../crds/validate.ts';
import { keyOf } from '../../kube/resources.ts';

/** Kept whole of any one namespace; twice what a node serves of it. */
const MAX_WHOLE = 64;

export class KeptSensors {
  readonly #nodeName: string;
  readonly #releaseNamespace: string;
  /** The keys of those that are kept whole, by namespace. */
  readonly #whole = new Map<string, Set<string>>();

  constructor({ nodeName, releaseNamespace }: { nodeName: string; releaseNamespace: string }) {
    this.#nodeName = nodeName;
    this.#releaseNamespace = releaseNamespace;
  }

  /** What the store gets of one. One that is beyond the number is kept when it is next written or listed and others have gone. */
  keep(sensor: Sensor): Sensor {
    // what other nodes say of it is nothing to this one
    const { status: _, ...rest } = sensor;
    const { namespace = '' } = sensor.metadata;
    const key = keyOf(sensor);
    const whole = this.#whole.get(namespace) ?? new Set();
    if (this.#mayServe(sensor) && (whole.has(key) || whole.size < MAX_WHOLE)) {
      this.#whole.set(namespace, whole.add(key));
      return rest;
    }
    this.forget(key);
    const { name, uid, resourceVersion } = sensor.metadata;
    const metadata = {
      ...{ name, namespace },
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    };
    // neither a file nor a slice: it is nobody's to serve
    return { apiVersion: sensor.apiVersion, kind: sensor.kind, metadata, spec: { columns: [] } };
  }

  /** It has gone. */
  forget(key: string): void {
    const [namespace = ''] = key.split('/', 1);
    const whole = this.#whole.get(namespace);
    whole?.delete(key);
    if (whole?.size === 0) this.#whole.delete(namespace);
  }

  /** Whether there may ever be a sliver here for which this node serves it. */
  #mayServe(sensor: Sensor): boolean {
    const { metadata, spec } = sensor;
    if (spec?.nodes && !spec.nodes.includes(this.#nodeName)) return false;
    if (spec?.file && metadata.namespace !== this.#releaseNamespace) return false;
    return validateSensor(sensor).length === 0;
  }
}
