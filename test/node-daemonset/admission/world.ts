/** Random histories of every operation on rights of one node, as fast-check draws them. */
import * as fc from 'fast-check';
import type { ResourceCapability } from '../../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { edited, NODE, NOW, offering, redeeming, right } from '../rights.ts';

/** `make nightly` has 100,000. */
export const RUNS = Number(process.env['LEDGER_RUNS'] ?? 2000);
const HOUR = 3_600_000;
export const BUDGET = { shares: 500, ports: 3 };
export const SPEC = { budget: { ...BUDGET, pending: 1000 }, memory: '1Gi', pods: 9 };
export const BOOKS = offered(policyOf(SPEC), NODE, 0);
const NAMESPACES = ['team', 'lab', 'shop'];
const SLICES = ['measure', 'other'];

const iso = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
export const asks = fc.record({
  shares: fc.integer({ min: 1, max: 400 }),
  guarantee: fc.integer({ min: 0, max: 40_000_000 }),
  memory: fc.option(fc.integer({ min: 0, max: 2 ** 29 }), { nil: undefined }),
  ports: fc.uniqueArray(fc.integer({ min: 2000, max: 2003 }), { maxLength: 2 }),
  start: fc.option(fc.integer({ min: -5, max: 10 })),
  hours: fc.option(fc.integer({ min: 1, max: 10 })),
  namespace: fc.constantFrom(...NAMESPACES),
  sliceName: fc.constantFrom(undefined, ...SLICES),
});
type AskSample = typeof asks extends fc.Arbitrary<infer T> ? T : never;

/** `scale`: parts are smaller than what they are split from. */
export function specOf(ask: AskSample, scale = 1): Partial<ResourceCapability['spec']> {
  const { shares, guarantee, memory, ports, start, hours } = ask;
  const end = hours === null ? undefined : iso((start ?? 0) + hours);
  return {
    resources: {
      cpu: { shares: Math.ceil(shares / scale) },
      egress: { guarantee: Math.floor(guarantee / scale), limit: '60M' },
      ...(memory !== undefined && { memory: Math.floor(memory / scale) }),
      ports: ports.map((port) => ({ protocol: 'TCP', port })),
    },
    window: { ...(start !== null && { start: iso(start) }), ...(end && { end }) },
  };
}

/** Some at the same time: API servers write whole seconds. */
const bornAt = (index: number): string => iso(-100 + Math.floor(index / 3));

const pick = fc.nat(20);
export const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('acquire' as const), ask: asks }) },
    {
      weight: 5,
      // without a window of its own, a part mostly lies within what it is split from
      arbitrary: fc.record({ kind: fc.constant('split' as const), pick, ask: asks, same: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('renew' as const), pick, ask: asks }) },
    {
      weight: 3,
      // a value may be false, and may be shown again and again
      arbitrary: fc.record({
        kind: fc.constant('transfer' as const),
        pick,
        truly: fc.boolean(),
        namespace: fc.constantFrom(...NAMESPACES),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), pick }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('bind' as const), pick, to: fc.constantFrom(undefined, ...SLICES) }),
    },
    // the node's label is taken off, or put back
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('label' as const), pick }) },
    // its Node is deleted, and registered again
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('anew' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 5 }) }) },
  ),
  { maxLength: 20, size: 'max' },
);
export type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

export interface World {
  ledger: Ledger;
  rcaps: ResourceCapability[];
  /** Uids of those without the node's label. */
  unseen: ReadonlySet<string>;
  node: typeof NODE;
  now: number;
}

export const EMPTY_WORLD: World = { ledger: EMPTY_LEDGER, rcaps: [], unseen: new Set(), node: NODE, now: NOW };

/** What the node sees of it. */
export function seen({ rcaps, unseen }: World): ResourceCapability[] {
  return rcaps.filter(({ metadata }) => !unseen.has(metadata.uid ?? ''));
}

export function created(
  world: World,
  index: number,
  spec: Partial<ResourceCapability['spec']>,
  namespace: string,
): World {
  const metadata = { namespace, creationTimestamp: bornAt(index) };
  return { ...world, rcaps: [...world.rcaps, right(`uid-${index}`, {}, spec, metadata)] };
}

/** The edit, and by then the operator has read again what the rcap shows. */
function reread(rcap: ResourceCapability, spec: Partial<ResourceCapability['spec']>): ResourceCapability {
  const next = edited(rcap, spec);
  const { generation = 0 } = next.metadata;
  return rcap.spec.redeem === undefined ? next : { ...next, status: { ...next.status, redeemGeneration: generation } };
}

/** Of the right that it was made for. */
const valueOf = (uid: string): string => Buffer.from(uid).toString('hex').padEnd(64, '0');

function transferred(world: World, holder: ResourceCapability, truly: boolean, to: string, index: number): World {
  const digest = valueOf(holder.metadata.uid ?? '');
  const rcaps = holder.spec.valueSecret
    ? world.rcaps
    : world.rcaps.map((one) => (one === holder ? offering(one, digest) : one));
  const metadata = { namespace: to, creationTimestamp: bornAt(index) };
  return { ...world, rcaps: [...rcaps, redeeming(`uid-${index}`, truly ? digest : 'f'.repeat(64), {}, metadata)] };
}

export function act(world: World, step: Step, index: number): World {
  if (step.kind === 'acquire') {
    const { namespace, sliceName } = step.ask;
    return created(world, index, { ...specOf(step.ask), sliceName }, namespace);
  }
  if (step.kind === 'wait') return { ...world, now: world.now + step.hours * HOUR };
  if (step.kind === 'anew') return { ...world, node: { ...NODE, uid: `node-${index}` } };
  const chosen = world.rcaps[step.pick % Math.max(world.rcaps.length, 1)];
  if (!chosen) return world;
  if (step.kind === 'release') return { ...world, rcaps: world.rcaps.filter((one) => one !== chosen) };
  if (step.kind === 'bind') {
    return { ...world, rcaps: world.rcaps.map((one) => (one === chosen ? reread(one, { sliceName: step.to }) : one)) };
  }
  if (step.kind === 'label') {
    return { ...world, unseen: world.unseen.symmetricDifference(new Set([chosen.metadata.uid ?? ''])) };
  }
  if (step.kind === 'renew') {
    const scale = chosen.spec.from === undefined ? 1 : 4;
    return { ...world, rcaps: world.rcaps.map((one) => (one === chosen ? reread(one, specOf(step.ask, scale)) : one)) };
  }
  if (step.kind === 'transfer') return transferred(world, chosen, step.truly, step.namespace, index);
  const { name, namespace = '' } = chosen.metadata;
  const spec = specOf(step.ask, chosen.spec.from === undefined ? 4 : 16);
  const owned = new Set(chosen.spec.resources?.ports?.map(({ port }) => port));
  const ports = spec.resources?.ports?.filter(({ port }) => owned.has(port)) ?? [];
  const window = step.same && chosen.spec.window ? { window: chosen.spec.window } : {};
  const { sliceName } = step.ask;
  const part = { ...spec, resources: { ...spec.resources, ports }, ...window, from: name, sliceName };
  return created(world, index, part, namespace);
}
