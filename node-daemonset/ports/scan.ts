/** Who has a port of the node: its own sockets by /proc, and the rules of others that catch a port before any socket. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RspecPort } from '../../crds/types.ts';
import { observeNodeAddresses } from '../addresses/node.ts';
import type { HeldPort } from '../admission/held.ts';
import { TABLE as EGRESS_TABLE } from '../egress/names.ts';
import { ExecError, run } from '../exec.ts';
import { readOr } from '../processes.ts';
import { type ForwardedPorts, parseIptables, parseRuleset } from './forwards.ts';
import { findHolders, type Holder } from './holders.ts';
import { TABLE } from './nft.ts';
import { parseSockets, SOCKET_FILES } from './sockets.ts';

const OWN_TABLES: ReadonlySet<string> = new Set([TABLE, EGRESS_TABLE]);
/** Rules of a cluster with thousands of services. */
const MAX_RULES = 64 * 1024 * 1024;

/**
 * Those of the ports that are in use in this process's network namespace, the node's. Throws where that can't be known.
 * `proc` is where proc(5) of the node's processes is.
 */
export async function scanPorts(asked: readonly RspecPort[], proc = '/proc'): Promise<HeldPort[]> {
  const forwarded = asked.some(({ protocol }) => protocol !== 'ICMP') ? await readForwards(proc) : [];
  const byRules = asked.flatMap((port): HeldPort[] => {
    const rule = forwarded.find(
      ({ protocol, from, to }) => protocol === port.protocol && from <= port.port && port.port <= to,
    );
    return rule ? [{ ...port, by: rule.by, pod: undefined }] : [];
  });
  return [...readSockets(asked, proc), ...byRules];
}

function readSockets(asked: readonly RspecPort[], proc: string): HeldPort[] {
  const sockets = SOCKET_FILES.flatMap(([file, protocol]) => {
    const wanted = new Set(asked.filter((port) => port.protocol === protocol).map(({ port }) => port));
    if (wanted.size === 0) return [];
    return parseSockets(readSocketFile(join(proc, 'self/net', file)), protocol, wanted);
  });
  if (sockets.length === 0) return [];
  const holders = findHolders(new Set(sockets.map(({ inode }) => inode)), proc);
  return sockets.map(({ protocol, port, inode }) => {
    const holder = holders.get(inode);
    return { protocol, port, by: holder ? inWords(holder) : 'the kernel, or a process that ended', pod: holder?.pod };
  });
}

function inWords({ name, pid, pod }: Holder): string {
  return `${name} (pid ${pid}${pod === undefined ? '' : `, pod ${pod}`})`;
}

/** A kernel without IPv6 has no file for it. */
function readSocketFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function readForwards(proc: string): Promise<ForwardedPorts[]> {
  const addresses = new Set((await observeNodeAddresses([])).local).add('127.0.0.1').add('::1');
  // nft does not show what iptables' own matches say; to ask the old backend would make its tables where there are none
  const programs = ['iptables-nft-save', 'ip6tables-nft-save'];
  for (const [names, program] of [
    ['ip_tables_names', 'iptables-legacy-save'],
    ['ip6_tables_names', 'ip6tables-legacy-save'],
  ] as const) {
    if (
      readOr(join(proc, 'self/net', names), '')
        .split('\n')
        .includes('nat')
    )
      programs.push(program);
  }
  const [{ stdout }, ...saved] = await Promise.all([
    run(['nft', '-j', '-n', '-t', 'list', 'ruleset'], { maxOutput: MAX_RULES }),
    ...programs.map(outputOf),
  ]);
  return [...parseRuleset(stdout, OWN_TABLES, addresses), ...saved.flatMap((text) => parseIptables(text, addresses))];
}

/** Nothing where the node has no such program: then only what nft shows is known. */
async function outputOf(program: string): Promise<string> {
  try {
    return (await run([program, '-t', 'nat'], { maxOutput: MAX_RULES })).stdout;
  } catch (error) {
    if (error instanceof ExecError && error.code === null && /ENOENT/.test(error.message)) return '';
    throw error;
  }
}
