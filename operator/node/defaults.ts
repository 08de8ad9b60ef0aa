/** What SliceNodePolicies say of one node, put together: which of them count, and which goes before which. */
import { mergePolicy } from '../../crds/ownerpolicy.ts';
import type { NodeDefaults, SliceNodePolicy, SliceNodeSpec } from '../../crds/types.ts';
import { describe, validateSliceNode, validateSliceNodePolicy } from '../../crds/validate.ts';
import { isDeleting } from '../kinds.ts';

/** One that counts nowhere, or not for this node. */
export interface LeftOut {
  policy: SliceNodePolicy;
  /** Why, for people. */
  why: string;
}

export interface Together {
  /** undefined where none is about the node. */
  defaults: NodeDefaults | undefined;
  leftOut: readonly LeftOut[];
}

/** As many as a status names. */
const MOST = 64;
const MOST_KNOWN = 256;

/** Those that are about a node with these labels, the strongest first. */
export function policiesOn(
  policies: readonly SliceNodePolicy[],
  labels: Readonly<Record<string, string>>,
): SliceNodePolicy[] {
  return policies.filter((one) => !isDeleting(one) && selects(one, labels)).toSorted(byPrecedence);
}

/** `policies`: about one node, the strongest first. What makes no sense is left out as a whole. */
export function planDefaults(policies: readonly SliceNodePolicy[]): Together {
  const names: string[] = [];
  const leftOut: LeftOut[] = [];
  let whole: SliceNodeSpec = {};
  for (const policy of policies) {
    const next = mergePolicy(policy.spec.policy, whole);
    const why = problemOf(policy, next, names.length);
    if (why === undefined) {
      names.push(policy.metadata.name);
      whole = next;
    } else leftOut.push({ policy, why });
  }
  return { defaults: names.length > 0 ? { policies: names, policy: whole } : undefined, leftOut };
}

/** Nodes with the same policies have the same defaults: they are put together once, as long as no policy is edited. */
export class Combinations {
  readonly #known = new Map<string, Together>();

  of(policies: readonly SliceNodePolicy[]): Together {
    const key = policies.map(({ metadata }) => `${metadata.name}/${metadata.uid}/${metadata.generation}`).join();
    const before = this.#known.get(key);
    if (before) return before;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const together = planDefaults(policies);
    this.#known.set(key, together);
    return together;
  }
}

function selects({ spec }: SliceNodePolicy, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}

/** The strongest first; two never have one name. */
function byPrecedence(a: SliceNodePolicy, b: SliceNodePolicy): number {
  const rank = (b.spec.priority ?? 0) - (a.spec.priority ?? 0);
  return rank || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** Together with the stronger ones it must still be a policy that the API server takes. */
function problemOf(policy: SliceNodePolicy, together: SliceNodeSpec, before: number): string | undefined {
  const own = validateSliceNodePolicy(policy);
  if (own.length > 0) return describe(own);
  if (before >= MOST) return `${MOST} policies of higher priority are about it already`;
  const { apiVersion } = policy;
  const violations = validateSliceNode({ apiVersion, kind: 'SliceNode', metadata: { name: 'node' }, spec: together });
  return violations.length > 0 ? `together with stronger policies, ${describe(violations)}` : undefined;
}
