/** What one link of a ticket says: whom it gives what, on which node, and when. */
import { formatBytes, formatRate } from '../../../crds/quantity.ts';
import { type Amounts, amounts, portKey, toRspec } from '../../../crds/rspec.ts';
import { API_VERSION } from '../../../crds/names.ts';
import type { Rspec } from '../../../crds/types.ts';
import { describe, validateCapability } from '../../../crds/validate.ts';
import { canonical, type Canonical, readBytes, readFields, readText } from './canonical.ts';
import { readPublicKey } from './key.ts';
import { Refusal } from './refusal.ts';

export interface Claim {
  /** Who signs. */
  issuer: string;
  /** Who has it from then on, and may give it on or redeem it. */
  holder: string;
  /** In the first link alone: the broker where it is redeemed, so that it is redeemed in one place only. */
  broker?: string;
  /** In all others: the id of the link before. */
  parent?: string;
  /** The one node that it is for; without it, any that the broker has. */
  node?: string;
  /** In full, as `toRspec` writes it. */
  resources: Rspec;
  /** RFC 3339, in UTC and whole seconds. */
  window: { start: string; end: string };
  /** 128 bits in base64url: the same claim given twice is two claims. */
  nonce: string;
}

/** What a claim is worth, in numbers; times in ms since the epoch. */
export interface Worth {
  amounts: Amounts;
  start: number;
  end: number;
  node: string | undefined;
}

export const NONCE_BYTES = 16;
/** So that books forget: no window is longer, in days. */
export const MAX_DAYS = 400;
export const DAY_MS = 86_400_000;
const ID = /^[A-Za-z0-9_-]{43}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** The claim in a value that somebody else wrote: every field in the one way that it can be written, and no other field. */
export function readClaim(value: unknown): Claim {
  const optional = ['broker', 'parent', 'node'];
  const fields = readFields(value, 'a claim', ['issuer', 'holder', 'resources', 'window', 'nonce'], optional);
  const { broker, parent, node } = fields;
  if ((broker === undefined) === (parent === undefined)) {
    throw new Refusal('Malformed', 'the first claim names a broker, all others the one before');
  }
  const { start, end } = readFields(fields['window'], 'window', ['start', 'end']);
  readBytes(fields['nonce'], 'nonce', NONCE_BYTES);
  const claim: Claim = {
    issuer: readPublicKey(fields['issuer'], 'issuer'),
    holder: readPublicKey(fields['holder'], 'holder'),
    ...(broker !== undefined && { broker: readPublicKey(broker, 'broker') }),
    ...(parent !== undefined && { parent: readText(parent, 'parent', ID) }),
    ...(node !== undefined && { node: readText(node, 'node', /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/) }),
    resources: fields['resources'] as Rspec,
    window: { start: readTime(start, 'window.start'), end: readTime(end, 'window.end') },
    nonce: fields['nonce'] as string,
  };
  const length = Date.parse(claim.window.end) - Date.parse(claim.window.start);
  if (length > MAX_DAYS * DAY_MS) throw new Refusal('Malformed', `a window has at most ${MAX_DAYS} days`);
  checkResources(claim);
  return claim;
}

/** By the rules of rights, and written out in full. */
function checkResources({ resources, window, node = 'any' }: Claim): void {
  // first: this bounds how deep it is, and nothing after it does
  const text = textOf(resources);
  const spec = { nodeName: node, contact: 'ticket', resources, window };
  const right = { apiVersion: API_VERSION, kind: 'ResourceCapability', metadata: { name: 'ticket' }, spec };
  const violations = validateCapability(right);
  if (violations.length > 0) throw new Refusal('Malformed', describe(violations));
  if (text !== textOf(inFull(resources))) {
    throw new Refusal('Malformed', `resources must be written out in full, as ${textOf(inFull(resources))}`);
  }
}

/** Every default filled in, every quantity as short as it can be. */
export function inFull(resources: Rspec): Rspec {
  return toRspec(amounts(resources));
}

function textOf(resources: Rspec): string {
  return canonical(resources as Canonical);
}

function readTime(value: unknown, what: string): string {
  const text = readText(value, what, TIME);
  const instant = Date.parse(text);
  // Date.parse takes February 30th for March
  if (Number.isNaN(instant) || formatSeconds(instant) !== text) throw new Refusal('Malformed', `${what} is no time`);
  return text;
}

export function formatSeconds(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function worthOf({ resources, window, node }: Claim): Worth {
  return { amounts: amounts(resources), start: Date.parse(window.start), end: Date.parse(window.end), node };
}

/** Why the one is more than the other in any way; undefined where it fits. */
export function exceeds(part: Worth, whole: Worth): string | undefined {
  if (part.start < whole.start || part.end > whole.end) {
    return `holds from ${formatSeconds(whole.start)} until ${formatSeconds(whole.end)}: the window must lie within that`;
  }
  if (whole.node !== undefined && part.node !== whole.node) return `is for node ${whole.node}`;
  return exceedsAmounts(part.amounts, whole.amounts);
}

/** As `exceeds`, for resources alone. */
export function exceedsAmounts(one: Amounts, all: Amounts): string | undefined {
  const foreign = one.ports.find((port) => !all.ports.some((own) => portKey(own) === portKey(port)));
  if (foreign) return `does not have port ${portKey(foreign)}`;
  const privilege = one.privileges.find((own) => !all.privileges.includes(own));
  if (privilege) return `does not have the privilege ${privilege}`;
  if (one.network === 'Host' && all.network !== 'Host') return "does not have the node's network";
  if (one.excess === 'Share' && all.excess === 'None') return 'has cpu.excess None';
  if (one.shares > all.shares) return `has ${all.shares} shares, and no more`;
  if (one.egressGuarantee > all.egressGuarantee) return `has an egress guarantee of ${formatRate(all.egressGuarantee)}`;
  if (one.egressLimit > all.egressLimit) return `has an egress limit of ${formatRate(all.egressLimit)}`;
  // what is absent is no limit of its own, so it must be given where the whole has one
  for (const bound of ['memory', 'disk', 'processes', 'openFiles'] as const) {
    const most = all[bound];
    if (most === undefined || (one[bound] ?? Infinity) <= most) continue;
    const told = bound === 'memory' || bound === 'disk' ? formatBytes(most) : most;
    return `has ${bound} ${told}: give no more, and give it`;
  }
  for (const reserved of ['memory', 'disk'] as const) {
    if (one[reserved] !== undefined && all[reserved] === undefined) return `has no ${reserved} reserved`;
  }
  return undefined;
}
