/** How many rights a namespace may have asked for without having been granted them: each is an answer, an entry and a status. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { LABEL_LOCAL } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import type { Ask, Refused } from './ask.ts';
import type { Bench } from './judge.ts';
import { budgetOf } from './policy.ts';
import { heldOf } from './split.ts';

/** What was granted once is over, and no question: its rcaps are bounded by how many are looked at. */
const WAS_GRANTED: ReadonlySet<string> = new Set([
  CapabilityReason.Transferred,
  CapabilityReason.Expired,
  CapabilityReason.Evicted,
]);

/** Of the budget, what one slice's slivers may use up of it for all others by asking over the node's local API. */
const LOCAL_PART = 0.1;

/** Which rights are whose by the local API, by uid. */
export function localRights(rcaps: Iterable<ResourceCapability>): ReadonlyMap<string, string> {
  const slices = new Map<string, string>();
  for (const { metadata } of rcaps) {
    const slice = metadata.labels?.[LABEL_LOCAL];
    if (slice) slices.set(metadata.uid ?? '', slice);
  }
  return slices;
}

/**
 * Only who has nothing yet is held to it: a renewal asks for no more rights, not even where it is refused. A sliver that asks
 * for what nobody can grant has its namespace's budget of this for itself alone, and a part of it from everybody else.
 */
export function budgetOfPending({ uid, namespace }: Ask, bench: Bench): Refused | undefined {
  const { policy, register, aside, localTo } = bench;
  if (heldOf(register.get(uid))) return undefined;
  const asked = register.inNamespace(namespace).filter(({ uid: one, grant, refusal }) => {
    return !aside.includes(one) && !grant && refusal && !WAS_GRANTED.has(refusal.reason);
  });
  const budget = budgetOf(policy, namespace).pending;
  const part = Math.max(1, Math.floor(budget * LOCAL_PART));
  const own = localTo.get(uid);
  let pending = 0;
  for (const [slice, all] of Map.groupBy(asked, (one) => localTo.get(one.uid))) {
    pending += slice === undefined || slice === own ? all.length : Math.min(all.length, part);
  }
  if (pending < budget) return undefined;
  const message = `namespace ${namespace} has ${pending} rights here that were not granted, ${budget} are allowed: delete some`;
  return { reason: CapabilityReason.NamespaceBudget, message };
}
