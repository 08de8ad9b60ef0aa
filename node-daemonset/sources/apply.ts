/** Keeps slivers' addresses theirs: nobody else's packets come with them, whether routed or from a bridge's port. */
import { ExecError, run } from '../exec.ts';
import { readOr } from '../processes.ts';
import type { Desired, Enforcer, EnforcerReport } from '../sliver.ts';
import { type Beginnings, beginningsOf, parseTable, removeTable, type Table, TABLES } from './nft.ts';
import { type ObservedSources, planSources } from './plan.ts';

/** How many connections the kernel remembers at most, and what is taken for it where it does not say. */
const TABLE_SIZE = '/proc/sys/net/netfilter/nf_conntrack_max';
const SMALLEST_TABLE = 65_536;

export function readTableSize(): number {
  return Number(readOr(TABLE_SIZE, '')) || SMALLEST_TABLE;
}

/** Acts in the network namespace of this process, the node's. */
export function createSourcesEnforcer(): Enforcer {
  return {
    name: 'sources',

    async enforce({ slivers }: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      const observed = await observe(signal);
      const plan = planSources(observed, slivers);
      const [routed, bridged] = TABLES.map((table) => plan[table]);
      await nft(routed!, signal);
      const writes = routed!.length + bridged!.length;
      try {
        await nft(bridged!, signal);
        return { writes, problems: [] };
      } catch (error) {
        if (!(error instanceof ExecError) || !/not supported|No such file/.test(error.stderr)) throw error;
        const message = `this kernel has no nftables for bridges (CONFIG_NF_TABLES_BRIDGE): a pod on a slice's bridge that may make raw sockets can send with the slice's address: ${error.message}`;
        return { writes: routed!.length, problems: [{ reason: 'BridgeNotGuarded', message }] };
      }
    },

    async release(): Promise<void> {
      for (const table of TABLES) await nft((await list(table)) === undefined ? [] : removeTable(table));
    },
  };
}

async function observe(signal: AbortSignal): Promise<ObservedSources> {
  const beginnings = beginningsOf(readTableSize());
  const [links, ...tables] = await Promise.all([
    run(['ip', '-j', '-d', 'link', 'show'], { signal }),
    ...TABLES.map((table) => observeTable(table, beginnings, signal)),
  ]);
  const all = JSON.parse(links.stdout) as { ifname: string; linkinfo?: { info_kind?: string } }[];
  return {
    tables: Object.fromEntries(TABLES.map((table, i) => [table, tables[i]])) as ObservedSources['tables'],
    beginnings,
    interfaces: new Set(all.map(({ ifname }) => ifname)),
    bridges: new Set(all.filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge').map(({ ifname }) => ifname)),
  };
}

async function observeTable(
  table: Table,
  beginnings: Beginnings,
  signal: AbortSignal,
): Promise<ObservedSources['tables'][Table]> {
  const json = await list(table, signal);
  return { exists: json !== undefined, elements: json === undefined ? undefined : parseTable(table, json, beginnings) };
}

/** undefined: there is no such table; a kernel without the family has none either. */
async function list(table: Table, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return (await run(['nft', '-j', 'list', 'table', ...table.split(' ')], signal && { signal })).stdout;
  } catch (error) {
    if (!(error instanceof ExecError) || !/not supported|No such file/.test(error.stderr)) throw error;
    return undefined;
  }
}

/** One transaction: all of it, or none. */
async function nft(script: readonly string[], signal?: AbortSignal): Promise<void> {
  if (script.length === 0) return;
  await run(['nft', '-f', '-'], { input: `${script.join('\n')}\n`, ...(signal && { signal }) });
}
