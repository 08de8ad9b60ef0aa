/**
 * The distances of the network, measured once for all who ask: a hundred overlays need not probe by themselves. Between
 * the cluster's nodes for everybody; to other addresses for slices, whom the node knows, each with a part of the budget.
 */
import { contains, formatAddress, parseAddress, parsePrefix } from '../../../crds/ipaddress.ts';
import type { Column } from '../../../crds/reading.ts';
import { createGate } from '../../../kube/gate.ts';
import { type Asker, SensorError } from '../registry.ts';
import type { Source } from '../source.ts';
import { builtin, type Row } from './builtin.ts';
import type { NodeAddress, NodeList } from './nodes.ts';
import * as probe from './probe.ts';
import type { ProbeBudget } from './probebudget.ts';

export interface TopologyParts {
  nodeName: string;
  nodes: Pick<NodeList, 'get'>;
  budget: Pick<ProbeBudget, 'take'>;
  probes?: Pick<typeof probe, 'ping' | 'traceroute'>;
  now(): number;
}

/** What was measured is answered again for so long. */
const CACHE_MS = 60_000;
const TIMEOUT_MS = 20_000;
/** Probes on their way at a time. */
const CONCURRENT = 4;
const WAITING = 64;
/** Rows of /topology: the latest results of so many destinations. */
const MAX_KNOWN = 1_024;

/** Where no probe goes: this machine, its link, groups, and what is nobody's address. */
const NEVER = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  ...['::/127', 'fe80::/10', 'ff00::/8'],
].map((text) => parsePrefix(text)!);

export function topologySensors({ nodeName, nodes, budget, probes = probe, now }: TopologyParts): Source[] {
  const known = new Map<string, Row>();
  const gate = createGate(CONCURRENT, WAITING);

  const measured = async <T>(asker: Asker, work: () => Promise<T>): Promise<T> => {
    if (!budget.take(asker)) {
      throw new SensorError('Busy', 'the budget of probes is used up: ask again in a while, or for what is known');
    }
    return await gate(work).catch((error: Error) => {
      throw error.name === 'BusyError' ? new SensorError('Busy', error.message) : error;
    });
  };

  const remember = (row: Row): void => {
    const key = String(row.destination);
    known.delete(key);
    known.set(key, row);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN) known.delete(oldest!);
  };

  const common = {
    arguments: 'node or address',
    cacheMs: CACHE_MS,
    timeoutMs: TIMEOUT_MS,
    // what one slice looks at, it must not find in the answer to another
    isOwn: ([wanted = '']: readonly string[]) => parseAddress(wanted) !== undefined,
  };
  return [
    builtin(
      {
        ...common,
        name: 'ping',
        description: 'Round-trip times from this node to another, or for slivers to any address.',
        columns: PING,
        async rows(args, asker, signal) {
          const { address, node } = destinationOf(args, await nodes.get(signal), asker);
          const { sent, received, min, mean, max } = await measured(asker, () => probes.ping(address, signal));
          const time = new Date(now()).toISOString();
          const row = { source: nodeName, destination: node ?? address, address, sent, received, min, mean, max, time };
          // what one slice looks at is not for everybody
          if (node !== undefined) remember(row);
          return [row];
        },
      },
      now,
    ),
    builtin(
      {
        ...common,
        name: 'traceroute',
        description: 'The routers between this node and another, or for slivers any address.',
        columns: HOPS,
        async rows(args, asker, signal) {
          const { address, node } = destinationOf(args, await nodes.get(signal), asker);
          const hops = await measured(asker, () => probes.traceroute(address, signal));
          return hops.map((hop) => ({ source: nodeName, destination: node ?? address, ...hop }));
        },
      },
      now,
    ),
    builtin(
      {
        name: 'topology',
        description: 'The last known round-trip time to each node; measures nothing.',
        columns: PING,
        rows: async (_args, _asker, signal) =>
          (await nodes.get(signal))
            .filter(({ name }) => name !== nodeName)
            .map(({ name, ip }) => known.get(name) ?? { source: nodeName, destination: name, address: ip }),
      },
      now,
    ),
  ];
}

/** A node by its name or address, or for a slice any address that can be one. Pure. Throws SensorError. */
export function destinationOf(
  args: readonly string[],
  nodes: readonly NodeAddress[],
  asker: Asker,
): { address: string; node: string | undefined } {
  const [wanted] = args;
  if (wanted === undefined || args.length > 1) {
    throw new SensorError('BadArguments', 'give one node of /nodes, or one IP address');
  }
  const bytes = parseAddress(wanted);
  const address = bytes && formatAddress(bytes);
  const node =
    nodes.find(({ name }) => name === wanted) ?? only(nodes.filter(({ ip }) => ip !== undefined && ip === address));
  if (node) {
    if (node.ip === undefined) throw new SensorError('NotFound', `the address of node ${node.name} is not known yet`);
    if (isNever(parseAddress(node.ip)!)) {
      throw new SensorError(
        'BadArguments',
        `${node.ip}, as node ${node.name} has it, is no address of another machine`,
      );
    }
    return { address: node.ip, node: node.name };
  }
  if (!bytes || address === undefined) {
    throw new SensorError('NotFound', `${JSON.stringify(wanted)} is no node of /nodes, and no IP address`);
  }
  if (isNever(bytes)) {
    throw new SensorError('BadArguments', `${address} is no address of another machine`);
  }
  if (asker.kind === 'public') {
    const asks = `curl --unix-socket /run/slice/sensors http://node/ping/${address}`;
    throw new SensorError('Forbidden', `only nodes of /nodes over TCP; in a sliver, for any address: ${asks}`);
  }
  return { address, node: undefined };
}

function isNever(bytes: Uint8Array): boolean {
  return NEVER.some((prefix) => contains(prefix, bytes));
}

/** An address that two nodes claim is neither's. */
function only<T>(found: readonly T[]): T | undefined {
  return found.length === 1 ? found[0] : undefined;
}

const PING: readonly Column[] = [
  { name: 'source', type: 'string', help: 'This node.' },
  { name: 'destination', type: 'string' },
  { name: 'address', type: 'string' },
  { name: 'sent', type: 'integer' },
  { name: 'received', type: 'integer' },
  { name: 'min', type: 'number', unit: 'ms' },
  { name: 'mean', type: 'number', unit: 'ms' },
  { name: 'max', type: 'number', unit: 'ms' },
  { name: 'time', type: 'time', help: 'When it was measured.' },
];
const HOPS: readonly Column[] = [
  { name: 'source', type: 'string' },
  { name: 'destination', type: 'string' },
  { name: 'hop', type: 'integer' },
  { name: 'address', type: 'string', help: 'None: nobody answered.' },
  { name: 'rtt', type: 'number', unit: 'ms' },
];
