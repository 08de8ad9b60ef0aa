/** Which changes of what the API server tells are worth a pass: our own writes come back as changes, and what they say is known. */
import { LABEL_NODE } from '../crds/names.ts';
import type { ResourceCapability, SliceNode } from '../crds/types.ts';

/** All of our SliceNode that others write: the owner's policy, the Node's facts, restraints, what is refused to slivers. */
export function decided({ metadata, spec, status }: SliceNode): string {
  const { node, restraints, defaults, refusals } = status ?? {};
  return JSON.stringify([metadata.uid, spec, node, restraints, defaults, refusals]);
}

/** Everything of an rcap that admission goes by. */
export function asked({ metadata, status }: ResourceCapability): string {
  const { uid, generation, labels, deletionTimestamp } = metadata;
  return `${uid} ${generation} ${labels?.[LABEL_NODE]} ${deletionTimestamp} ${status?.redeemGeneration}`;
}
