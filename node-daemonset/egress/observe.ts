/** Reads what tc, nftables and the routes have, in one process for each question however many slivers there are. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ExecError, run } from '../exec.ts';
import { parseTable, type ObservedTable } from './nft.ts';
import { TABLE } from './names.ts';
import type { Line } from '../sliver.ts';
import { parseDefaultRoutes, planUplinks } from './uplinks.ts';
import { type ObservedLine, parseClasses, parseQdiscs } from './tc.ts';

/** Every interface with its root qdisc; the classes of those that are ours. */
export async function observeLines(signal?: AbortSignal): Promise<Map<string, ObservedLine>> {
  const options = signal && { signal };
  const { stdout } = await run(['tc', '-j', '-r', 'qdisc', 'show'], options);
  const lines = new Map<string, ObservedLine>();
  for (const [dev, { root, rootKind, leaves }] of parseQdiscs(stdout)) {
    const text = root === 'ours' ? (await run(['tc', '-s', '-d', 'class', 'show', 'dev', dev], options)).stdout : '';
    lines.set(dev, { root, rootKind, ...parseClasses(text, leaves) });
  }
  return lines;
}

export async function observeTable(signal?: AbortSignal): Promise<ObservedTable> {
  try {
    const { stdout } = await run(['nft', '-j', 'list', 'table', ...TABLE.split(' ')], signal && { signal });
    return parseTable(stdout);
  } catch (error) {
    if (error instanceof ExecError && /No such file or directory/.test(error.stderr)) return parseTable(undefined);
    throw error;
  }
}

/** Interfaces of the default routes of this process's network namespace. */
export function readDefaultRoutes(): string[] {
  return parseDefaultRoutes(readText('/proc/net/route'), readText('/proc/net/ipv6_route'));
}

/** The link's own speed in bits/s. Virtual links claim one that they do not have: theirs is not known. */
export function readLinkSpeed(name: string): number | undefined {
  const link = `/sys/class/net/${name}`;
  if (!existsSync(`${link}/device`) && !existsSync(`${link}/bonding`)) return undefined;
  const megabits = Number(readText(`${link}/speed`));
  return megabits > 0 ? megabits * 1e6 : undefined;
}

/** The rate of the slowest uplink in bits/s; undefined where no uplink's is known. */
export function readLineRate(lines: readonly Line[]): number | undefined {
  const interfaces = new Set(readdirSync('/sys/class/net'));
  const { uplinks } = planUplinks(lines, readDefaultRoutes(), interfaces, readLinkSpeed);
  const rates = uplinks.flatMap(({ rate }) => rate ?? []);
  return rates.length > 0 ? Math.min(...rates) : undefined;
}

/** A file that the kernel may refuse to read, as `speed` of a link that is down. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
