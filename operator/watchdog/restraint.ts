/** The Restraints that a Watchdog makes: one for each slice, or namespace, that it restrains. */
import { API_VERSION, shortHash } from '../../crds/names.ts';
import { decimalQuantity, parseQuantity } from '../../crds/quantity.ts';
import type { Restraint, RestraintSpec, Watchdog } from '../../crds/types.ts';
import { controllerReference } from '../kinds.ts';
import { cut } from '../../crds/text.ts';

/** `namespace/slice`, or `namespace`. */
export function keyOfRestraint({ spec: { namespace, slice } }: Pick<Restraint, 'spec'>): string {
  return slice === undefined ? namespace : `${namespace}/${slice}`;
}

export function splitKey(key: string): { namespace: string; slice?: string } {
  const [namespace = '', slice] = key.split('/', 2);
  return { namespace, ...(slice !== undefined && { slice }) };
}

/** It goes with its Watchdog. */
export function restraintFor(watchdog: Watchdog, key: string, value: number): Restraint {
  const { metadata } = watchdog;
  return {
    apiVersion: API_VERSION,
    kind: 'Restraint',
    metadata: {
      // so long that nobody finds two names of his with the same
      name: `${metadata.name}-${shortHash([metadata.name, ...key.split('/')], 32)}`,
      ownerReferences: [controllerReference(watchdog)],
    },
    spec: specFor(watchdog, key, reasonOf(watchdog, value)),
  };
}

/** What it must say by the Watchdog as it is now; why it was made it says for good. */
export function specFor({ spec }: Watchdog, key: string, reason: string): RestraintSpec {
  const { action, egressLimit, contact } = spec;
  return {
    ...splitKey(key),
    ...(action === 'Throttle' ? { egressLimit: String(egressLimit) } : { suspended: true }),
    reason,
    ...(contact !== undefined && { contact }),
  };
}

/** `bandwidth bytes 1200000000 in a period of 86400 s is above 1G on all nodes together (Watchdog daily)` */
export function reasonOf({ metadata, spec }: Watchdog, value: number): string {
  const { read, above, periodSeconds } = spec;
  const what = [read.sensor, ...(read.arguments ?? []), read.column].join(' ');
  const period = periodSeconds === undefined ? '' : ` in a period of ${periodSeconds} s`;
  const limit = decimalQuantity(Math.floor(parseQuantity(above)));
  const text = `${what} ${Math.floor(value)}${period} is above ${limit}, all nodes added up (Watchdog ${metadata.name})`;
  return cut(text, 512);
}
