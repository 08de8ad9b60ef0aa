/** An rcap as a question to this node: normalised, or refused for what it says alone. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { LABEL_NODE, nodeLabelValue } from '../../crds/names.ts';
import { type Amounts, amounts, toRspec } from '../../crds/rspec.ts';
import type { ResourceCapability, Window } from '../../crds/types.ts';
import { describe, validateCapability } from '../../crds/validate.ts';
import type { Period } from './ledger.ts';
import { cut } from '../../crds/text.ts';

/** What one generation of an rcap asks for. */
export interface Ask {
  uid: string;
  namespace: string;
  name: string;
  generation: number;
  amounts: Amounts;
  period: Period;
  contact: string;
  sliceName: string | undefined;
  /** The name, in its namespace, of the right that it is to be split from. */
  from: string | undefined;
}

/** Why not: a reason for programs and a message on which a person can act. */
export interface Refused {
  reason: string;
  message: string;
}

/** What an rcap holds that took a right over: its spec need not repeat it. */
export type Held = Pick<Ask, 'amounts' | 'period'>;

/** The question that an rcap puts to the node of this name; refused where it could be granted nowhere, or not here. */
export function readAsk(rcap: ResourceCapability, nodeName: string, held?: Held): Ask | Refused {
  const wrongNode = refuseNode(rcap, nodeName);
  if (wrongNode) return wrongNode;
  const violations = validateCapability(rcap);
  if (violations.length > 0) return { reason: CapabilityReason.InvalidSpec, message: describe(violations) };
  const { spec } = rcap;
  const takenOver = spec.redeem === undefined ? undefined : held;
  return {
    ...identity(rcap),
    generation: rcap.metadata.generation ?? 0,
    amounts: (spec.resources ? undefined : takenOver?.amounts) ?? amounts(spec.resources),
    period: (spec.window ? undefined : takenOver?.period) ?? periodOf(spec.window),
    contact: spec.contact,
    sliceName: spec.sliceName || undefined,
    from: spec.from || undefined,
  };
}

/**
 * What this node granted an rcap, by its own status: all that is left when the ledger is lost. undefined where the status makes
 * no sense, or can't be that of this rcap: a status written late may have come to a new object of the name.
 */
export function readRecovered(rcap: ResourceCapability, nodeName: string, nodeUID: string): Ask | undefined {
  const granted = rcap.status?.granted;
  if (granted?.nodeUID !== nodeUID) return undefined;
  const { contact } = rcap.spec;
  const { resources, window } = granted;
  if (validateCapability({ ...rcap, spec: { contact, nodeName, resources, window } }).length > 0) return undefined;
  const generation = granted.observedGeneration;
  const ask: Ask = {
    ...identity(rcap),
    generation,
    amounts: amounts(resources),
    period: periodOf(window),
    contact,
    sliceName: granted.sliceName || undefined,
    from: rcap.spec.from || undefined,
  };
  const asked = readAsk(rcap, nodeName, ask);
  if (generation < (rcap.metadata.generation ?? 0)) {
    return isRefused(asked) && asked.reason !== CapabilityReason.InvalidSpec ? undefined : ask;
  }
  const same = generation === rcap.metadata.generation && !isRefused(asked) && essence(asked) === essence(ask);
  return same ? ask : undefined;
}

/** What was asked for, as one text; a status has whole seconds. */
function essence({ amounts: of, period, sliceName }: Ask): string {
  const seconds = [period.start, period.end].map((time) => time !== undefined && Math.floor(time / 1000));
  return JSON.stringify([toRspec(of), seconds, sliceName]);
}

export function isRefused(answer: Ask | Refused): answer is Refused {
  return 'reason' in answer;
}

/** Seconds are enough for people, and equal instants read the same. */
export function formatInstant(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * Both the label, by which we see it, and the spec must name this node: an rcap whose label alone was moved is ours to
 * refuse and must not be granted by two nodes.
 */
export function refuseNode(rcap: ResourceCapability, nodeName: string): Refused | undefined {
  if (rcap.spec.nodeName === nodeName && rcap.metadata.labels?.[LABEL_NODE] === nodeLabelValue(nodeName)) {
    return undefined;
  }
  const asked = cut(rcap.spec.nodeName, 253);
  const message =
    asked === nodeName
      ? `the label ${LABEL_NODE} must be ${nodeLabelValue(nodeName)}`
      : `asks for node ${asked} with the label of ${nodeName}: correct the label ${LABEL_NODE}, or delete it and ask anew, since a right can't move`;
  return { reason: CapabilityReason.WrongNode, message };
}

function identity({ metadata }: ResourceCapability): Pick<Ask, 'uid' | 'namespace' | 'name'> {
  return { uid: metadata.uid ?? '', namespace: metadata.namespace ?? '', name: metadata.name };
}

function periodOf(window: Window | undefined): Period {
  const instant = (time: string | undefined): number | undefined => (time ? Date.parse(time) : undefined);
  return { start: instant(window?.start), end: instant(window?.end) };
}
