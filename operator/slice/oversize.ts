/**
 * Slices too large to be kept: a server lets them have 1.4 MB, and the operator keeps every slice of the cluster in memory. Of
 * such a one only what its refusal needs is kept.
 */
import { GROUP } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { specBytes } from '../../crds/check-schema.ts';
import { MAX_SPEC_BYTES } from '../../crds/validate.ts';

/** In the operator's memory only: how large the spec was. Informers drop one that a user wrote. */
const SIZE = `${GROUP}/oversize`;

/** What the store keeps of a slice. */
export function bounded(slice: Slice): Slice {
  const { annotations } = slice.metadata;
  const size = specBytes(slice.spec);
  if (size <= MAX_SPEC_BYTES) return slice;
  const { contact, sliver } = slice.spec;
  const metadata = { ...slice.metadata, annotations: { ...annotations, [SIZE]: String(size) } };
  return { ...slice, metadata, spec: { contact, sliver: { image: sliver.image } } };
}

/** How many bytes the spec had that was too large to keep; undefined where it was not. */
export function oversize(slice: Slice): number | undefined {
  const size = slice.metadata.annotations?.[SIZE];
  return size === undefined ? undefined : Number(size);
}
