/** What a broker redeemed for one issuer, and what is left of a link's worth. Pure arithmetic. */
import { amounts, type Amounts, portKey } from '../../../crds/rspec.ts';
import type { Rspec } from '../../../crds/types.ts';
import { formatSeconds } from './claim.ts';
import type { Left } from './refusal.ts';

/**
 * Asked: a right is being acquired, and nobody knows its value. Handed: its value may be known to the holder. Dropped: it will never
 * be handed, and goes. Nothing leads from Handed to Dropped.
 */
export type State = 'Asked' | 'Handed' | 'Dropped';

/** One ticket that is redeemed. */
export interface Entry {
  /** Of all links of the ticket, in order; the last is the ticket's own. */
  ids: string[];
  /** Of the request. */
  nonce: string;
  holder: string;
  contact: string;
  node: string;
  /** Of the right in the broker's namespace. */
  name: string;
  resources: Rspec;
  window: { start: string; end: string };
  state: State;
  /** When it was asked for, in ms since the epoch. */
  time: number;
}

export interface Book {
  /** The issuer's key. */
  issuer: string;
  entries: Entry[];
  /** Requests that were refused (replays.ts), and until when each is remembered, in s since the epoch. */
  refused?: Record<string, number>;
}

/** Of all entries, in bytes: an object of the API has 1 MiB at most, and what was refused has its place in it, too. */
export const MAX_BOOK = 900_000;
/** So long after its end an entry is kept: no clock may be set back by more, or a ticket would be good again. In ms. */
export const KEPT_MS = 3_600_000;

export function ticketOf({ ids }: Pick<Entry, 'ids'>): string {
  return ids.at(-1)!;
}

export function startOf({ window }: Entry): number {
  return Date.parse(window.start);
}

export function endOf({ window }: Entry): number {
  return Date.parse(window.end);
}

/** Why so much more is too much: what is left at the tightest instant, in a sentence and in numbers. */
export interface Shortage {
  message: string;
  left: Left;
}

/** What is asked for in a window, beside other entries, out of a whole. */
export interface Weighed {
  asked: Amounts;
  start: number;
  end: number;
  whole: Amounts;
  /** Whose it is, for the sentence. */
  whose: string;
}

const KINDS = [
  ['shares', 'shares'],
  ['egress', 'bits/s of egress guarantee'],
  ['memory', 'bytes of memory'],
  ['disk', 'bytes of disk'],
] as const;

/** undefined where it fits at every instant beside these entries. */
export function shortage(
  { asked, start, end, whole, whose }: Weighed,
  entries: readonly Entry[],
): Shortage | undefined {
  const beside = entries.filter((one) => startOf(one) < end && endOf(one) > start);
  const wanted = countable(asked);
  const all = countable(whole);
  const { peak, until } = highest(beside, start);
  const left = subtract(all, peak);
  for (const [kind, what] of KINDS) {
    if (wanted[kind] <= left[kind]) continue;
    const when = until[kind] === undefined ? '' : ` until ${formatSeconds(until[kind])}`;
    const most = `${Math.max(0, left[kind])} of ${all[kind]} left of what ${whose}`;
    return { message: `asks ${wanted[kind]} ${what}, ${most}${when}: the rest was redeemed by others`, left };
  }
  const taken = new Set(beside.flatMap(({ resources }) => amounts(resources).ports.map(portKey)));
  const port = asked.ports.map(portKey).find((one) => taken.has(one));
  if (port === undefined) return undefined;
  return { message: `asks port ${port}, which others redeemed of what ${whose}`, left };
}

/** The most of each kind that is taken at any one instant from `start` on, and when that ends. */
function highest(entries: readonly Entry[], start: number): { peak: Left; until: Partial<Left> } {
  const events = entries.flatMap((entry) => {
    const counts = countable(amounts(entry.resources));
    return [
      { at: Math.max(startOf(entry), start), sign: 1, counts },
      { at: endOf(entry), sign: -1, counts },
    ];
  });
  // what ends makes room for what begins at the same instant
  events.sort((a, b) => a.at - b.at || a.sign - b.sign);
  const sum: Left = { shares: 0, egress: 0, memory: 0, disk: 0 };
  const peak: Left = { ...sum };
  const until: Partial<Left> = {};
  const open = new Set<keyof Left>();
  for (const { at, sign, counts } of events) {
    for (const [kind] of KINDS) {
      sum[kind] += sign * counts[kind];
      if (sum[kind] > peak[kind]) {
        peak[kind] = sum[kind];
        open.add(kind);
      } else if (open.has(kind) && sum[kind] < peak[kind]) {
        until[kind] = at;
        open.delete(kind);
      }
    }
  }
  return { peak, until };
}

function countable({ shares, egressGuarantee, memory = 0, disk = 0 }: Amounts): Left {
  return { shares, egress: egressGuarantee, memory, disk };
}

function subtract(a: Left, b: Left): Left {
  return {
    shares: Math.max(0, a.shares - b.shares),
    egress: Math.max(0, a.egress - b.egress),
    memory: Math.max(0, a.memory - b.memory),
    disk: Math.max(0, a.disk - b.disk),
  };
}

/** Of an entry as it is kept, in its longest state and with the comma after it. */
export function bytesOf(entry: Entry): number {
  return Buffer.byteLength(JSON.stringify({ ...entry, state: 'Dropped' satisfies State })) + 1;
}
