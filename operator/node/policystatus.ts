/** Where a SliceNodePolicy is in force, for its status. */
import { PolicyCondition, PolicyReason as Reason, setCondition, type Condition } from '../../crds/conditions.ts';
import type { PolicyLeftOut, SliceNodePolicy, SliceNodePolicyStatus } from '../../crds/types.ts';
import { describe, validateSliceNodePolicy } from '../../crds/validate.ts';
import { first, list, plural } from '../slice/plan/wording.ts';
import type { Together } from './defaults.ts';
import { cut } from '../../crds/text.ts';

/** A node that the policy is about, and what it is told. */
export interface Governed {
  node: string;
  together: Together;
}

const MAX_LEFT_OUT = 5;
const MAX_MESSAGE = 1024;

/** `nodes` in order of their names; `now` in ms since the epoch. */
export function planPolicyStatus(
  policy: SliceNodePolicy,
  nodes: readonly Governed[],
  now: number,
): SliceNodePolicyStatus {
  const { name, generation } = policy.metadata;
  const leftOut = nodes.flatMap(({ node, together }): PolicyLeftOut[] => {
    const found = together.leftOut.find((one) => one.policy.metadata.name === name);
    return found ? [{ node, message: cut(found.why, MAX_MESSAGE) }] : [];
  });
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const condition = { type: PolicyCondition.Ready, ...verdictOf(policy, nodes.length, leftOut), ...observed };
  return {
    ...observed,
    nodes: { matching: nodes.length, inForce: nodes.length - leftOut.length },
    ...(leftOut.length > 0 && { leftOut: leftOut.slice(0, MAX_LEFT_OUT) }),
    conditions: setCondition(policy.status?.conditions, condition, new Date(now)),
  };
}

function verdictOf(
  policy: SliceNodePolicy,
  matching: number,
  leftOut: readonly PolicyLeftOut[],
): Pick<Condition, 'status' | 'reason' | 'message'> {
  const wrong = validateSliceNodePolicy(policy);
  if (wrong.length > 0) {
    return { status: 'False', reason: Reason.InvalidSpec, message: `in force on no node: ${describe(wrong)}` };
  }
  if (matching === 0) {
    const message = 'there is no node with the labels of spec.nodeSelector';
    return { status: 'False', reason: Reason.NoNodes, message };
  }
  const sum = `in force on ${matching - leftOut.length} of ${plural(matching, 'node')}`;
  if (leftOut.length === 0) return { status: 'True', reason: Reason.InForce, message: sum };
  const byWhy = Map.groupBy(leftOut, ({ message }) => message);
  const why = [...byWhy].map(([message, of]) => `${list(of.map(({ node }) => node))}: ${message}`);
  return { status: 'False', reason: Reason.LeftOut, message: `${sum}; left out on ${first(why)}` };
}
