/** A Sensor's status: what its nodes say of it, summed up. Each node speaks for itself, in its own SliceNode. */
import { SensorCondition, SensorReason as Reason, setCondition, type Condition } from '../../crds/conditions.ts';
import type { Sensor, SensorErrorStatus, SensorStatus, ServedSensor, SliceNode } from '../../crds/types.ts';
import { keyOf } from '../../kube/resources.ts';
import { wrongWith } from './kept.ts';

export interface SensorFacts {
  /** As the store keeps it. */
  sensor: Sensor;
  /** Those that say that they serve it. */
  nodes: readonly SliceNode[];
  /** Where file sensors may be. */
  releaseNamespace: string;
  now: number;
}

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

const MAX_ERRORS = 16;
/** By so much clocks of nodes may differ. */
const CLOCKS_MS = 3_600_000;

export function planSensorStatus({ sensor, nodes, releaseNamespace, now }: SensorFacts): SensorStatus {
  const key = keyOf(sensor);
  const { generation } = sensor.metadata;
  const told = nodes.flatMap(({ metadata, status }) => {
    const served = status?.sensors?.find(({ name }) => name === key);
    return served ? [{ node: metadata.name, served }] : [];
  });
  const sum = (of: (served: ServedSensor) => number | undefined): number =>
    // what a node counts is its own word, and must not be more than can be written
    told.reduce((all, { served }) => Math.min(Number.MAX_SAFE_INTEGER, all + (of(served) ?? 0)), 0);
  const failing = told.filter(({ served }) => served.failing);
  const errors = errorsOf(told, now);
  const verdict =
    refused(sensor, releaseNamespace) ??
    verdictOf(
      told.length,
      failing.map(({ node }) => node),
      errors,
    );
  const condition = {
    type: SensorCondition.Ready,
    ...verdict,
    ...(generation !== undefined && { observedGeneration: generation }),
  };
  return {
    nodes: told.length,
    failing: failing.length,
    readings: sum(({ readings }) => readings),
    failures: sum(({ failures }) => failures),
    ...(errors.length > 0 && { errors }),
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: setCondition(sensor.status?.conditions, condition, new Date(now)),
  };
}

/** What no node would serve. */
function refused(sensor: Sensor, releaseNamespace: string): Verdict | undefined {
  const wrong = wrongWith(sensor);
  if (wrong !== undefined) return { status: 'False', reason: Reason.InvalidSpec, message: wrong };
  if (!sensor.spec.file || sensor.metadata.namespace === releaseNamespace) return undefined;
  const message = `files of nodes are read for Sensors in namespace ${releaseNamespace} only, where a cluster's admin puts them`;
  return { status: 'False', reason: Reason.FileNotAllowed, message };
}

function verdictOf(nodes: number, failing: readonly string[], errors: readonly SensorErrorStatus[]): Verdict {
  if (nodes === 0) {
    const message = 'no node serves it: it needs a sliver of its slice, or the node is not among spec.nodes';
    return { status: 'False', reason: Reason.NoNodes, message };
  }
  if (failing.length > 0) {
    const why = errors.map(({ reason, message }) => `${reason}: ${message}`).join('; ');
    const message = `its last reading failed on ${failing.length} of ${nodes} nodes, such as ${failing[0]}: ${why}`;
    return { status: 'False', reason: Reason.Failing, message };
  }
  return { status: 'True', reason: Reason.Served, message: `${nodes} nodes serve it` };
}

/** Of each reason the latest, in order of the reasons. One that is still to come is not the latest for years. */
function errorsOf(told: readonly { node: string; served: ServedSensor }[], now: number): SensorErrorStatus[] {
  const all = new Map<string, SensorErrorStatus>();
  for (const { node, served } of told) {
    for (const { reason, message, time } of served.errors ?? []) {
      if (Date.parse(time) > now + CLOCKS_MS) continue;
      const known = all.get(reason);
      const nodes = (known?.nodes ?? 0) + 1;
      if (!known || Date.parse(known.time ?? '') < Date.parse(time))
        all.set(reason, { reason, message, node, nodes, time });
      else known.nodes = nodes;
    }
  }
  return [...all.values()].toSorted((a, b) => (a.reason < b.reason ? -1 : 1)).slice(0, MAX_ERRORS);
}
