/** Whether the value of a right can be shown: the operator goes by it, the node, and who hands values over. */
import type { ResourceCapability } from './types.ts';

/**
 * Whether the status has the digest of a value that was not taken back. What counts is what is asked for now, as everywhere: a name
 * that went and is back before the operator looked was never away. Any other rule would have edits by two hands, a Slice's that puts
 * back another field among them, take values away that nobody took back.
 */
export function isOffered({ spec, status }: ResourceCapability): boolean {
  const { valueSecret, valueDigest } = status ?? {};
  return valueDigest !== undefined && spec.valueSecret !== undefined && spec.valueSecret === valueSecret;
}
