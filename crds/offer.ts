/** Whether the value of a right can be shown: the operator goes by it, the node, and who hands values over. */
import type { ResourceCapability } from './types.ts';

/**
 * Whether the status has the digest of a value that was not taken back. A name that goes and comes back takes two edits, of which
 * nobody may have seen the first: so the value is good for the edit after the last that the operator saw with it, and no later one.
 */
export function isOffered({ metadata, spec, status }: ResourceCapability): boolean {
  const { valueSecret, valueDigest, valueGeneration } = status ?? {};
  if (valueDigest === undefined || valueGeneration === undefined) return false;
  if (spec.valueSecret === undefined || spec.valueSecret !== valueSecret) return false;
  return (metadata.generation ?? 0) - valueGeneration <= 1;
}
