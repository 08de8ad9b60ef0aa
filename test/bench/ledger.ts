/**
 * `bench -- ledger`: what one more right costs a node that has 1000 capabilities and 10,000 reservations. The pass that
 * decides it looks at all of them: their generations, their sums at every instant, ports and budgets. And the same for a
 * namespace that has many parts of others' rights, and for one beside it, where the owner reserves something for others.
 */
import type { ResourceCapability, Rspec, SliceNodeSpec } from '../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../node-daemonset/admission/ledger.ts';
import { admit, edited, NOW, right } from '../node-daemonset/rights.ts';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';

/** Of these, so many are parts of others. */
const HELD = 1_000;
const PARTS = 300;
const RESERVED = 10_000;
const DECISIONS = 400;
/** Asked for in one pass, as after the start of a node manager. */
const AT_ONCE = 400;
const NAMESPACES = 20;
/** Parts of one right that passed to another namespace, each of an hour. */
const HANDED_ON = 900;
const BAR_MS = 1;
const HOUR = 3_600_000;
const NODE = { uid: 'node-uid', cpuMilli: 64_000, memory: 512 * 2 ** 30, disk: 10 ** 13, pods: 4_000 };
const SPEC = { line: '100G', egress: { limit: '50G' }, budget: { shares: 1000, ports: 10_000, pending: 20_000 } };

/** The same numbers in every run, from 0 up to but without 1 (Numerical Recipes' generator). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}

const random = createRandom(1);
const iso = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();

/** Without a window it holds from now on; else it is a reservation of some hours within the next year. */
function asked(index: number, isReserved: boolean, port: number | undefined): ResourceCapability {
  const start = 1 + Math.floor(random() * 8_000);
  const window = isReserved ? { window: { start: iso(start), end: iso(start + 1 + random() * 12) } } : {};
  const ports = port === undefined ? {} : { ports: [{ protocol: 'TCP' as const, port }] };
  const resources = { cpu: { shares: isReserved ? 4 : 1 }, egress: { guarantee: '10k', limit: '1M' }, ...ports };
  const namespace = `site-${index % NAMESPACES}`;
  return right(`uid-${index}`, resources, window, { namespace });
}

function decided(ledger: Ledger, rcaps: readonly ResourceCapability[], spec: SliceNodeSpec = SPEC) {
  const started = performance.now();
  const admission = admit(ledger, rcaps, { node: NODE, spec });
  return { ...admission, ms: performance.now() - started };
}

function fill(): { ledger: Ledger; rcaps: ResourceCapability[] } {
  const rcaps = Array.from({ length: HELD + RESERVED }, (_, index) => {
    const port = index % 5 === 0 && index >= HELD ? 11_000 + index : undefined;
    const rcap = asked(index, index >= HELD, port);
    // a whole right for each part, in the same namespace
    if (index >= PARTS * 2 || index % (NAMESPACES * 2) < NAMESPACES) return rcap;
    return { ...rcap, spec: { ...rcap.spec, from: `right-uid-${index - NAMESPACES}` } };
  });
  const { ledger } = decided(EMPTY_LEDGER, rcaps);
  const refused = ledger.entries.find(({ grant }) => !grant)?.refusal;
  if (refused) throw new Error(`the books could not be filled: ${refused.message}`);
  return { ledger, rcaps };
}

function part(shares: number): Rspec {
  return { cpu: { shares }, egress: { guarantee: '5k', limit: '1M' } };
}

function heldIn(namespace: string, { metadata, ...rest }: ResourceCapability): ResourceCapability {
  return { ...rest, metadata: { ...metadata, namespace } };
}

/** The books with a right of `giver` besides, all parts of which are `taker`'s. */
function handOn(books: { ledger: Ledger; rcaps: ResourceCapability[] }): typeof books {
  const whole = right('given', { ...part(4), egress: { guarantee: '100k', limit: '1M' } }, {}, { namespace: 'giver' });
  const windows = Array.from({ length: HANDED_ON }, (_, index) => ({ start: iso(index + 1), end: iso(index + 2) }));
  const parts = windows.map((window, index) => {
    return right(`taken-${index}`, part(1), { window, from: 'right-given' }, { namespace: 'giver' });
  });
  const { ledger } = decided(books.ledger, [...books.rcaps, whole, ...parts]);
  const taken = ledger.entries.map((entry) => {
    return entry.uid.startsWith('taken-') ? { ...entry, namespace: 'taker' } : entry;
  });
  const held = parts.map((rcap) => heldIn('taker', rcap));
  return { ledger: { ...ledger, entries: taken }, rcaps: [...books.rcaps, whole, ...held] };
}

/** ms for each of many decisions of one pass, without what a pass costs that decides nothing. */
function eachOf(
  { ledger, rcaps }: ReturnType<typeof fill>,
  many: readonly ResourceCapability[],
  spec: SliceNodeSpec = SPEC,
): number {
  const idle = Array.from({ length: 20 }, () => decided(ledger, rcaps, spec).ms);
  const asking = new Set(many.map(({ metadata }) => metadata.uid));
  const all = [...rcaps.filter(({ metadata }) => !asking.has(metadata.uid)), ...many];
  const batches = Array.from({ length: 5 }, () => {
    const { ms, decisions } = decided(ledger, all, spec);
    const refused = decisions.filter(({ event }) => event === 'denied' || event === 'resizeDenied');
    // the node is nearly full at times
    if (refused.length > many.length / 2) throw new Error(`${refused.length} refused: ${refused[0]!.message}`);
    return ms;
  });
  return (percentile(batches, 50) - percentile(idle, 50)) / many.length;
}

export const bench: Bench = {
  about: 'one more decision of a node with 1000 capabilities and 10,000 reservations; needs nothing',
  run(report: Report, progress) {
    const { ledger, rcaps } = fill();
    progress(`${ledger.entries.length} rights granted`);
    const idle: number[] = [];
    for (let round = 0; round < 50; round++) idle.push(decided(ledger, rcaps).ms);
    const one: number[] = [];
    for (let index = 0; index < DECISIONS; index++) {
      const more = asked(rcaps.length + index, index % 2 === 0, index % 5 === 0 ? 40_000 + index : undefined);
      const { ms, decisions } = decided(ledger, [...rcaps, more]);
      if (decisions.length !== 1) throw new Error(`${decisions.length} decisions instead of 1`);
      one.push(ms);
    }
    progress('one at a time');
    const many = Array.from({ length: AT_ONCE }, (_, index) => asked(rcaps.length + index, index % 2 === 0, undefined));
    const each = eachOf({ ledger, rcaps }, many);
    report({ name: 'a pass with nothing to decide, p50', value: percentile(idle, 50), unit: 'ms' });
    report({ name: 'a pass that decides one, p50', value: percentile(one, 50), unit: 'ms' });
    report({ name: `each of ${AT_ONCE} decisions of one pass`, value: each, unit: 'ms', bar: { max: BAR_MS } });
    progress('many at once');
    const handed = handOn({ ledger, rcaps });
    const reserving = { ...SPEC, reserved: { percent: 1, namespaces: ['giver'] } };
    const taken = handed.rcaps.filter(({ metadata }) => metadata.namespace === 'taker');
    const window = { start: iso(1), end: iso(1 + HANDED_ON) };
    const some = Array.from({ length: 100 }, (_, index) => right(`more-${index}`, part(1), { window }));
    const asks: [string, ResourceCapability[]][] = [
      ["for one who has 900 parts of others' rights", some.map((rcap) => heldIn('taker', rcap))],
      ["to renew a part of another's right", taken.map((rcap) => edited(rcap, { resources: part(2) }))],
      ['beside those parts', some],
    ];
    for (const [whose, asked] of asks) {
      const value = eachOf(handed, asked, reserving);
      report({ name: `each of ${asked.length} decisions ${whose}`, value, unit: 'ms', bar: { max: BAR_MS } });
    }
    return Promise.resolve();
  },
};
