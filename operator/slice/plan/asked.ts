/** What a slice asks for, node by node: its rspec in the long form, and its overrides on top. */
import { formatRate } from '../../../crds/quantity.ts';
import { override, overridesOn, type NodeNames } from '../../../crds/overrides.ts';
import { amounts, fromShare, toRspec, type Amounts } from '../../../crds/rspec.ts';
import type { Rspec, Slice } from '../../../crds/types.ts';

/** What the slice asks for on one node. */
export interface Asked {
  resources: Rspec | undefined;
  amounts: Amounts;
  /** The overrides that it was made with, the weakest first. */
  overrides: readonly string[];
  /** Why no node could grant it; undefined where one could. */
  problem: string | undefined;
}

export type Asking = (node: NodeNames) => Asked;

/** The node must hear of the network too: it decides. */
export function askedOf({ spec: { resources, share, sliver } }: Slice): Rspec | undefined {
  const asked = share === undefined ? resources : fromShare(share);
  return sliver.network === 'Host' ? { ...asked, network: 'Host' } : asked;
}

/** For a spec that is accepted. Nodes with the same overrides get the same object. */
export function asking(slice: Slice): Asking {
  const known = new Map<string, Asked>();
  return (node) => {
    const applied = overridesOn(slice.spec.overrides, node);
    const overrides = applied.map(({ name }) => name);
    const key = overrides.join();
    const before = known.get(key);
    if (before) return before;
    const resources = applied.reduce((base: Rspec | undefined, one) => override(base, one.resources), askedOf(slice));
    const sums = amounts(resources);
    const asked = { resources, amounts: sums, overrides, problem: problemOf(sums, overrides) };
    known.set(key, asked);
    return asked;
  };
}

/** The same by the node's name; undefined where its labels count and are not known now, since its Node is gone. */
export function byName(
  slice: Slice,
  nodes: ReadonlyMap<string, NodeNames & { uid: string | undefined }>,
): (name: string) => Asked | undefined {
  const askedOn = asking(slice);
  const goesByLabels = slice.spec.overrides?.some(({ nodeSelector }) => nodeSelector !== undefined);
  return (name) => {
    const node = nodes.get(name);
    return node?.uid === undefined && goesByLabels ? undefined : askedOn(node ?? { name, labels: {} });
  };
}

/** The short form and every default in full, for the status. */
export function inFull(slice: Slice): Rspec {
  return toRspec(amounts(askedOf(slice)));
}

/** Whether it asks for the nodes' own network anywhere. */
export function asksForHost({ spec: { sliver, overrides } }: Slice): boolean {
  return sliver.network === 'Host' || (overrides ?? []).some(({ resources }) => resources.network === 'Host');
}

/** Each override fits with the slice, but two of them need not fit with each other. */
function problemOf({ egressGuarantee, egressLimit }: Amounts, overrides: readonly string[]): string | undefined {
  if (egressGuarantee <= egressLimit) return undefined;
  return `the overrides ${overrides.join(', ')} make an egress guarantee of ${formatRate(egressGuarantee)} and a limit of ${formatRate(egressLimit)}; give both in the last one`;
}
