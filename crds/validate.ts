/**
 * What a server's schema and CEL rules check, once more in TypeScript: servers older than 1.29 have no CEL rules, and a
 * node trusts no server to have checked. Two layers: the schema (types, bounds, patterns), then the rules between fields.
 */
import { parseAddress, parsePrefix } from './ipaddress.ts';
import { formatRate, parseQuantity } from './quantity.ts';
import { amounts, fromShare } from './rspec.ts';
import { readCrd, schemaOf } from './schemas.ts';
import { checkSchema, collect, type Say, specBytes, type Violation } from './check-schema.ts';
import { checkSensor } from './check-sensor.ts';
import type {
  ResourceCapability,
  Restraint,
  Rspec,
  Sensor,
  Slice,
  SliceNode,
  SliceNodePolicy,
  SliceNodeSpec,
  SliceSpec,
  Watchdog,
  Window,
} from './types.ts';

export type { Violation } from './check-schema.ts';

/** bootScript goes to a ConfigMap, whose bytes count, not its characters. */
export const MAX_BOOT_SCRIPT_BYTES = 64 * 1024;

/** All of a Slice's spec, as JSON: programs keep every slice of a cluster in memory, and a server lets one have 1.4 MB. */
export const MAX_SPEC_BYTES = 256 * 1024;

const SLICE = schemaOf(readCrd('slice.yaml'));
const CAPABILITY = schemaOf(readCrd('resourcecapability.yaml'));
const SLICE_NODE = schemaOf(readCrd('slicenode.yaml'));
const SLICE_NODE_POLICY = schemaOf(readCrd('slicenodepolicy.yaml'));
const RESTRAINT = schemaOf(readCrd('restraint.yaml'));
const WATCHDOG = schemaOf(readCrd('watchdog.yaml'));
const SENSOR = schemaOf(readCrd('sensor.yaml'));

/** Everything wrong with a Slice, whatever its status; nothing that depends on the time or on other objects. */
export function validateSlice(slice: Slice): Violation[] {
  const violations = checkSchema(slice, SLICE);
  if (violations.length > 0) return violations;
  const size = specBytes(slice.spec);
  if (size > MAX_SPEC_BYTES) return [tooLarge(size)];
  const { spec } = slice;
  const say = collect(violations, 'spec');
  if (spec.resources && spec.share !== undefined) say('', 'give resources or the short form share, not both');
  checkRspec(spec.resources, collect(violations, 'spec.resources'));
  checkWindow(spec.window, collect(violations, 'spec.window'));
  const { placement, sliver } = spec;
  checkOverrides(spec, say);
  const network = spec.resources?.network;
  if (network !== undefined && network !== (sliver.network ?? 'Pod')) {
    say('', 'resources.network is taken from sliver.network; leave it out');
  }
  if (placement?.policy && placement.policy !== 'Any' && !placement.topologyKey) {
    say('placement', 'the policies Spread and Cluster need a topologyKey');
  }
  if (sliver.bootScript !== undefined && (sliver.command || sliver.args)) {
    say('sliver', 'a bootScript takes the place of command and args');
  }
  if (Buffer.byteLength(sliver.bootScript ?? '') > MAX_BOOT_SCRIPT_BYTES) {
    say('sliver.bootScript', `must not be longer than ${MAX_BOOT_SCRIPT_BYTES} bytes`);
  }
  for (const one of sliver.env ?? []) {
    if (one.value !== undefined && one.valueFrom) say(`sliver.env[${one.name}]`, 'give value or valueFrom, not both');
    const from = one.valueFrom;
    if (from && Boolean(from.configMapKeyRef) === Boolean(from.secretKeyRef)) {
      say(`sliver.env[${one.name}].valueFrom`, 'give one of configMapKeyRef and secretKeyRef');
    }
  }
  for (const volume of sliver.volumes ?? []) {
    const kinds = [volume.emptyDir, volume.configMap, volume.secret].filter((kind) => kind !== undefined);
    if (kinds.length !== 1) say(`sliver.volumes[${volume.name}]`, 'give exactly one of emptyDir, configMap and secret');
  }
  return violations;
}

/** What is wrong with a Slice whose spec is that large. */
export function tooLarge(bytes: number): Violation {
  const message = `has ${bytes} bytes as JSON, and may have ${MAX_SPEC_BYTES}; put what is large into a ConfigMap`;
  return { path: 'spec', message };
}

/** Everything wrong with an rcap; nothing that depends on the time or on other objects. */
export function validateCapability(capability: ResourceCapability): Violation[] {
  const violations = checkSchema(capability, CAPABILITY);
  if (violations.length > 0) return violations;
  const { spec } = capability;
  if (spec.from !== undefined && spec.redeem !== undefined) {
    collect(violations, 'spec')('', 'from and redeem exclude each other');
  }
  if (spec.redeem !== undefined && spec.redeem === spec.valueSecret) {
    collect(violations, 'spec')('', 'valueSecret and redeem must name two Secrets');
  }
  checkRspec(spec.resources, collect(violations, 'spec.resources'));
  checkWindow(spec.window, collect(violations, 'spec.window'));
  return violations;
}

/** Everything wrong with an owner's policy for one node. */
export function validateSliceNode(node: SliceNode): Violation[] {
  const violations = checkSchema(node, SLICE_NODE);
  if (violations.length === 0) checkPolicy(node.spec ?? {}, collect(violations, 'spec'));
  return violations;
}

/** Everything wrong with an owner's policy for many nodes. */
export function validateSliceNodePolicy(policy: SliceNodePolicy): Violation[] {
  const violations = checkSchema(policy, SLICE_NODE_POLICY);
  if (violations.length === 0) checkPolicy(policy.spec.policy, collect(violations, 'spec.policy'));
  return violations;
}

function checkPolicy(policy: SliceNodeSpec, say: Say): void {
  const { ports = [], nodePorts, exempt, audit, sensors, blackouts = [] } = policy;
  for (const [index, range] of ports.entries()) {
    if (range.from > range.to) say(`ports[${index}]`, 'a range of ports must not end before it begins');
  }
  if (nodePorts && nodePorts.from > nodePorts.to) say('nodePorts', 'a range of ports must not end before it begins');
  for (const [index, destination] of (exempt?.destinations ?? []).entries()) {
    if (!parsePrefix(destination)) say(`exempt.destinations[${index}]`, 'must be an IP address or a prefix of one');
  }
  const address = audit?.page?.address ?? '';
  if (address !== '' && !parseAddress(address)) say('audit.page.address', 'must be an IP address');
  const sensorAddress = sensors?.page?.address ?? '';
  if (sensorAddress !== '' && !parseAddress(sensorAddress)) say('sensors.page.address', 'must be an IP address');
  for (const [index, blackout] of blackouts.entries()) {
    if (Date.parse(blackout.start) >= Date.parse(blackout.end)) {
      say(`blackouts[${index}]`, 'a blackout must start before it ends');
    }
  }
}

export function validateRestraint(restraint: Restraint): Violation[] {
  const violations = checkSchema(restraint, RESTRAINT);
  if (violations.length > 0) return violations;
  const { suspended, egressLimit } = restraint.spec;
  if (!suspended && egressLimit === undefined) {
    collect(violations, 'spec')('', 'give suspended or an egressLimit');
  }
  return violations;
}

export function validateWatchdog(watchdog: Watchdog): Violation[] {
  const violations = checkSchema(watchdog, WATCHDOG);
  if (violations.length > 0) return violations;
  const say = collect(violations, 'spec');
  const { action, egressLimit, above, lift, periodSeconds, everySeconds = 10 } = watchdog.spec;
  if ((action === 'Throttle') !== (egressLimit !== undefined)) {
    say('', 'the action Throttle needs an egressLimit, and no other action has one');
  }
  if (lift && parseQuantity(lift.below) > parseQuantity(above)) say('lift', 'lift.below must not exceed above');
  if (periodSeconds !== undefined && periodSeconds < 6 * everySeconds) {
    say(
      'periodSeconds',
      'periodSeconds must be 6 times everySeconds (10) at least: what grows over the end of a period counts in none',
    );
  }
  return violations;
}

/** Everything wrong with a Sensor; nothing that depends on what a node has. */
export function validateSensor(sensor: Sensor): Violation[] {
  const violations = checkSchema(sensor, SENSOR);
  if (violations.length === 0) checkSensor(sensor.spec, collect(violations, 'spec'));
  return violations;
}

/** The kinds of the API, by their names. */
export interface Kinds {
  Slice: Slice;
  ResourceCapability: ResourceCapability;
  SliceNode: SliceNode;
  SliceNodePolicy: SliceNodePolicy;
  Restraint: Restraint;
  Watchdog: Watchdog;
  Sensor: Sensor;
}

/** Each as it is described above. */
export const VALIDATORS: { readonly [K in keyof Kinds]: (object: Kinds[K]) => Violation[] } = {
  Slice: validateSlice,
  ResourceCapability: validateCapability,
  SliceNode: validateSliceNode,
  SliceNodePolicy: validateSliceNodePolicy,
  Restraint: validateRestraint,
  Watchdog: validateWatchdog,
  Sensor: validateSensor,
};

/** Everything wrong with an object of whatever kind it says. Throws where that is none of ours. */
export function validate(object: Kinds[keyof Kinds]): Violation[] {
  const { kind } = object;
  if (!Object.hasOwn(VALIDATORS, kind)) throw new Error(`there is no kind ${kind}`);
  return VALIDATORS[kind as keyof Kinds](object as never);
}

/** Violations in one sentence, for a condition's message or an error. */
export function describe(violations: readonly Violation[]): string {
  return violations.map(({ path, message }) => `${path}: ${message}`).join('; ');
}

function checkRspec(spec: Rspec | undefined, say: Say): void {
  const { guarantee, limit } = spec?.egress ?? {};
  if (guarantee !== undefined && limit !== undefined && parseQuantity(guarantee) > parseQuantity(limit)) {
    say('egress', 'the guarantee must not exceed the limit');
    return;
  }
  const { egressGuarantee, egressLimit } = amounts(spec);
  if (egressGuarantee > egressLimit) {
    say(
      'egress',
      `the limit must not be below the default guarantee of ${formatRate(egressGuarantee)}; give a lower guarantee too`,
    );
  }
}

/** Each by itself, and over the slice's own: what several make of a node together is known when its labels are. */
function checkOverrides({ overrides, resources, share }: SliceSpec, say: Say): void {
  const base = share === undefined ? resources : fromShare(share);
  for (const { name, node, nodeSelector, resources: over } of overrides ?? []) {
    const path = `overrides[${name}]`;
    if ((node === undefined) === (nodeSelector === undefined)) say(path, 'give one of node and nodeSelector');
    checkRspec(over, (where, message) => say(`${path}.resources.${where}`, message));
    const { guarantee, limit } = over.egress ?? {};
    if ((guarantee === undefined) === (limit === undefined)) continue;
    const [least, most] = [guarantee ?? base?.egress?.guarantee, limit ?? base?.egress?.limit];
    if (least !== undefined && most !== undefined && parseQuantity(least) > parseQuantity(most)) {
      say(`${path}.resources.egress`, "the guarantee must not exceed the limit, with the slice's own; give both");
    }
  }
}

function checkWindow(window: Window | undefined, say: Say): void {
  if (!window?.start || !window.end) return;
  if (Date.parse(window.start) >= Date.parse(window.end)) say('', 'the window must start before it ends');
}
