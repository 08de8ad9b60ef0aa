/** Whether the slice has the rights that it asks for, and who or what it waits for where not. */
import { SliceReason } from '../../../crds/conditions.ts';
import { isDeleting } from '../../kinds.ts';
import { shutBound } from './bound.ts';
import { sayUnlabelled } from './eligible.ts';
import type { SliceInput } from './input.ts';
import type { Observed } from './observe.ts';
import type { StatusInput } from './status.ts';
import { no, sayLost, type Verdict, yes } from './verdict.ts';
import { first, list, plural } from './wording.ts';

export function allocatedVerdict(
  { input, refusal, placing, withheld }: StatusInput,
  slivers: readonly Observed[],
  now: number,
): Verdict {
  const { wanted } = placing;
  if (isDeleting(input.slice)) return no(SliceReason.Deleting, 'the rights are being released');
  if (refusal) return no(refusal.reason, refusal.message);
  const tooFew = tooFewNodes(input, placing);
  if (tooFew) return tooFew;
  const refused = slivers.filter(({ denial }) => denial);
  const granted = slivers.filter(({ standing }) => standing === 'granted');
  const sum = `${granted.length} of ${wanted} granted`;
  const { pool, conflicts } = withheld;
  if (pool) {
    const asked = `${plural(pool.nodes.length, 'node')} not asked (${list(pool.nodes)})`;
    return no(SliceReason.InsufficientSiteShares, `${sum}; ${asked}: ${pool.books}`);
  }
  if (conflicts.length > 0) {
    const why = first(conflicts.map(({ node, message }) => `${node}: ${message}`));
    return no(SliceReason.OverridesConflict, `${sum}; not asked: ${why}`);
  }
  if (refused.length > 0) {
    const why = first(refused.map(({ node, denial }) => `${node}: ${denial!.reason}: ${denial!.message}`));
    return no(SliceReason.Denied, `${sum}; refused by ${why}`);
  }
  const open = slivers.filter(({ standing, judged }) => standing !== 'granted' || !judged);
  const { broker } = input.slice.spec;
  if (granted.length < wanted && open.length === 0 && (broker !== undefined || !input.brokering)) {
    const message =
      broker === undefined
        ? 'the default broker does not run: bind rights to the slice (spec.sliceName of an rcap), or name a broker in spec.broker'
        : `waits for the broker in namespace ${broker}`;
    const shut = shutBound(input, now);
    if (!shut) return no(SliceReason.WaitingForBroker, `${sum}; ${message}`);
    const isMore = granted.length + shut.rights.length < wanted;
    return no(shut.reason, `${sum}; ${first(shut.rights)}${isMore ? `; elsewhere: ${message}` : ''}`);
  }
  if (granted.length < wanted || open.length > 0) {
    const lost = open.filter((one) => one.lost);
    const waits = open.length > 0 ? `waits for ${list(open.map(({ node }) => node))}` : 'waits for a node in order';
    const message = `${sum}; ${waits}`;
    if (lost.length > 0) return no(SliceReason.NodeLost, `${message}; ${first(lost.map(sayLost))}`);
    return no(SliceReason.WaitingForNodes, message);
  }
  return yes(SliceReason.AllGranted, sum);
}

/** undefined: there are as many as it asks for. */
function tooFewNodes({ nodes, slice }: SliceInput, { wanted, matching }: StatusInput['placing']): Verdict | undefined {
  const { placement, broker } = slice.spec;
  const unlabelled = sayUnlabelled(nodes.values(), placement);
  if (wanted > matching) {
    const asks = `asks for ${plural(wanted, 'node')}, ${matching} match its placement${unlabelled}`;
    const meanwhile = broker === undefined && matching > 0 ? ' and are used meanwhile' : '';
    return no(SliceReason.TooFewNodes, `${asks}${meanwhile}; lower spec.placement.count or widen spec.placement`);
  }
  if (wanted > 0 || placement?.count !== undefined) return undefined;
  const open = `${plural(matching, 'node')} match, none is ready, uncordoned and with a live node manager (kubectl get slicenodes)`;
  return no(SliceReason.NoNodes, matching === 0 ? `no node matches spec.placement${unlabelled}` : open);
}
