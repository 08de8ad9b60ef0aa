/** An rspec that a person wrote, for a ticket or in the settings: whatever is in it counts, or it is refused. */
import { API_VERSION } from '../../../crds/names.ts';
import { readCrd, schemaOf } from '../../../crds/schemas.ts';
import type { Rspec } from '../../../crds/types.ts';
import { findUnknown } from '../../../crds/unknown.ts';
import { describe, validateCapability } from '../../../crds/validate.ts';
import { Refusal } from './refusal.ts';

const SCHEMA = schemaOf(readCrd('resourcecapability.yaml')).properties!['spec']!.properties!['resources']!;
/** Of a name that somebody wrote, in characters: no more is told. */
const MAX_TOLD = 80;

/**
 * Throws Refusal, which names the field: an unknown one is not left out, for what is left of the rspec is another one, and may
 * be more than was meant.
 */
export function readRspec(value: unknown, what: string): Rspec {
  const unknown = findUnknown(value, SCHEMA);
  if (unknown !== undefined) {
    const { path, known } = unknown;
    throw new Refusal(
      'Malformed',
      `${what}: there is no field ${path.slice(0, MAX_TOLD)}: there are ${known.join(', ')}`,
    );
  }
  const spec = { nodeName: 'any', contact: 'rspec', resources: value as Rspec };
  const right = { apiVersion: API_VERSION, kind: 'ResourceCapability', metadata: { name: 'rspec' }, spec };
  const violations = validateCapability(right);
  if (violations.length > 0) throw new Refusal('Malformed', describe(violations).replaceAll('spec.resources', what));
  return value as Rspec;
}
