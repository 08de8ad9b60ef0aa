/** What slice-node is told, and what it answers. Pure. */
import { formatRate, parseQuantity } from '../../crds/quantity.ts';
import { alignColumns } from '../report/table.ts';
import type { Orders } from './orders.ts';
import { cut } from '../../crds/text.ts';

export type Command =
  | { do: 'list'; json: boolean }
  | { do: 'cap'; egressLimit: number; reason: string }
  | { do: 'uncap' }
  | { do: 'suspend'; namespace: string; slice: string | undefined; reason: string }
  | { do: 'resume'; namespace: string; slice: string | undefined }
  | { do: 'help' };

export const USAGE = `slice-node: what the owner of this node says, here and now. It asks nobody: it works without the API server.

  slice-node ls [--json]                       every sliver, with what it was promised and what it gets; what is ordered
  slice-node cap RATE [REASON]                 all slices together send no more than this, such as 50Mbit
  slice-node cap none                          takes that back
  slice-node suspend NAMESPACE[/SLICE] [REASON]  what runs of it here is held down at once and frozen after 30 s
  slice-node resume NAMESPACE[/SLICE]          takes that back; whoever else suspended it must do so too
`;

/** A mistake of whoever typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SLICE = /^[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?$/;
const MAX_REASON = 200;
/** As tc has it; less would stop the node's slices rather than slow them, and there is suspend for that. */
const LEAST_CAP = 8_000;

/** Throws UsageError. */
export function parseCommand([verb, ...rest]: readonly string[]): Command {
  const [first, ...words] = rest;
  const reason = cut(words.join(' ').replace(/\p{C}/gu, ' '), MAX_REASON);
  switch (verb) {
    case 'ls':
      if (rest.some((one) => one !== '--json')) throw new UsageError('ls takes nothing but --json');
      return { do: 'list', json: rest.length > 0 };
    case 'cap':
      if (first === undefined) throw new UsageError('cap needs a rate such as 50Mbit, or none');
      return first === 'none' ? { do: 'uncap' } : { do: 'cap', egressLimit: parseRate(first), reason };
    case 'suspend':
      return { do: 'suspend', ...parseName(first), reason };
    case 'resume':
      return { do: 'resume', ...parseName(first) };
    case undefined:
    case 'help':
    case '--help':
      return { do: 'help' };
    default:
      throw new UsageError(`there is no ${JSON.stringify(verb)}`);
  }
}

/** bits/s of `50Mbit`, `50Mbit/s`, or a quantity as in a policy. */
function parseRate(text: string): number {
  const match = /^([0-9.]+)([kKMG]?)bit(?:\/s)?$/.exec(text);
  let rate: number;
  try {
    rate = Math.floor(parseQuantity(match ? `${match[1]}${match[2]!.replace('K', 'k')}` : text));
  } catch {
    throw new UsageError(`${JSON.stringify(text.slice(0, 40))} is no rate: write 500kbit, 50Mbit or 1Gbit`);
  }
  if (rate < LEAST_CAP) throw new UsageError(`a cap is at least ${formatRate(LEAST_CAP)}: use suspend to stop slices`);
  return rate;
}

function parseName(text: string | undefined): { namespace: string; slice: string | undefined } {
  const [namespace = '', slice, ...more] = (text ?? '').split('/');
  const isName = NAMESPACE.test(namespace) && (slice === undefined || SLICE.test(slice)) && more.length === 0;
  if (!isName) throw new UsageError('name a slice as NAMESPACE/SLICE, or all of a namespace as NAMESPACE');
  return { namespace, slice };
}

/** One line an order; empty where there is none. */
export function formatOrders({ cap, suspended }: Orders): string {
  const rows = suspended.map(({ namespace, slice, since, reason }) => [`${namespace}/${slice ?? '*'}`, since, reason]);
  const capped = cap && `CAP ${formatRate(cap.egressLimit)} since ${cap.since}${cap.reason && `: ${cap.reason}`}\n`;
  return `${capped ?? ''}${rows.length > 0 ? alignColumns([['SUSPENDED', 'SINCE', 'REASON'], ...rows]) : ''}`;
}

/** Who else suspends slivers, one line each; empty where nobody does. */
export function formatSuspenders(rows: readonly (readonly [sliver: string, by: string])[]): string {
  return rows.length > 0 ? alignColumns([['SLIVER', 'SUSPENDED BY'], ...rows]) : '';
}
