/** One ping or traceroute, by the programs of the node's system; and what they print, as numbers. */
import { ExecError, run } from '../../exec.ts';
import { SourceError } from '../source.ts';

export interface Ping {
  sent: number;
  received: number;
  /** ms; null where nothing came back. */
  min: number | null;
  mean: number | null;
  max: number | null;
}

export interface Hop {
  hop: number;
  /** undefined: nobody answered. */
  address: string | undefined;
  /** ms */
  rtt: number | null;
}

/** By this mark the kernel's programs know our own raw sockets from those that are made for slivers (bpf/sliver.h). */
const PROBE_MARK = 46;
const PACKETS = 3;
const MAX_HOPS = 30;
const MAX_OUTPUT = 16_384;

/** Three echo requests in half a second. Rejects with SourceError. */
export async function ping(address: string, signal: AbortSignal): Promise<Ping> {
  const argv = [
    'ping',
    '-m',
    `${PROBE_MARK}`,
    '-n',
    '-q',
    '-c',
    `${PACKETS}`,
    '-i',
    '0.2',
    '-W',
    '1',
    '-w',
    '3',
    address,
  ];
  return parsePing(await output(argv, 5_000, signal));
}

/** One UDP packet a hop, eight at a time. Rejects with SourceError. */
export async function traceroute(address: string, signal: AbortSignal): Promise<Hop[]> {
  const argv = [
    'traceroute',
    `--fwmark=${PROBE_MARK}`,
    '-n',
    '-q',
    '1',
    '-w',
    '1',
    '-N',
    '8',
    '-m',
    `${MAX_HOPS}`,
    address,
  ];
  return parseTraceroute(await output(argv, 15_000, signal));
}

async function output(argv: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<string> {
  try {
    return (await run(argv, { timeoutMs, maxOutput: MAX_OUTPUT, signal })).stdout;
  } catch (error) {
    // 1: nothing came back, and its table says so
    if (error instanceof ExecError && error.code === 1 && error.stdout !== '') return error.stdout;
    throw new SourceError('Died', (error as Error).message);
  }
}

export function parsePing(text: string): Ping {
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(text);
  if (!counts) throw new SourceError('NotParsed', `ping said: ${text.trim().slice(0, 200)}`);
  const times = /= ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(text);
  const time = (i: number): number | null => (times ? Number(times[i]) : null);
  return { sent: Number(counts[1]), received: Number(counts[2]), min: time(1), mean: time(2), max: time(3) };
}

export function parseTraceroute(text: string): Hop[] {
  return [...text.matchAll(/^\s*(\d+)\s+(?:\*|([0-9A-Fa-f:.]+)\s+([\d.]+) ms)/gm)].map(([, hop, address, rtt]) => ({
    hop: Number(hop),
    address,
    rtt: rtt === undefined ? null : Number(rtt),
  }));
}
