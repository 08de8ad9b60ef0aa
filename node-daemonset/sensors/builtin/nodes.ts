/** The cluster's nodes and their addresses, as the API server has them. */
import { formatAddress, parseAddress } from '../../../crds/ipaddress.ts';
import type { Cell, Column } from '../../../crds/reading.ts';
import type { SliceNode } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { resourcePath, Resources } from '../../../kube/resources.ts';
import { SensorError } from '../registry.ts';
import type { Source } from '../source.ts';
import { builtin } from './builtin.ts';

export interface NodeAddress {
  name: string;
  /** undefined where its Node has none, or the operator has not told it yet. */
  ip: string | undefined;
}

/** All nodes; asked for seldom and once for all, as no node has to follow all others. */
export class NodeList {
  readonly #client: Pick<ApiClient, 'request'>;
  readonly #clock: () => number;
  #known: { at: number; nodes: Promise<NodeAddress[]> } | undefined;

  constructor(client: Pick<ApiClient, 'request'>, clock: () => number = () => performance.now()) {
    this.#client = client;
    this.#clock = clock;
  }

  get(signal: AbortSignal): Promise<NodeAddress[]> {
    if (this.#known && this.#clock() - this.#known.at < NODES_MS) return this.#known.nodes;
    const nodes = this.#list(signal);
    const known = { at: this.#clock(), nodes };
    this.#known = known;
    nodes.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return nodes;
  }

  async #list(signal: AbortSignal): Promise<NodeAddress[]> {
    const found: NodeAddress[] = [];
    let next: string | undefined;
    do {
      const query = { limit: PAGE, continue: next };
      const path = resourcePath(Resources.SliceNode);
      const page = await this.#client.request<Page>('GET', path, { query, signal });
      for (const { metadata, status } of page.items) {
        // what the API server knows of the Node: its own manager could lead all others to whatever it likes
        const bytes = parseAddress(status?.node?.address ?? '');
        found.push({ name: metadata.name, ip: bytes && formatAddress(bytes) });
      }
      next = page.metadata.continue;
    } while (next && found.length < MAX_NODES);
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}

interface Page {
  metadata: { continue?: string };
  items: SliceNode[];
}

const NODES_MS = 60_000;
const PAGE = 500;
const MAX_NODES = 20_000;

const COLUMNS: readonly Column[] = [
  { name: 'ip', type: 'string', help: 'An address by which others reach it.' },
  { name: 'name', type: 'string' },
];

/** `/nodes/ip/name` as PlanetLab had it: the columns in the order in which they are named. */
export function nodesSensor(nodes: NodeList, now: () => number): Source {
  const all = builtin(
    {
      name: 'nodes',
      description: 'The nodes of the cluster; /nodes/ip/name names the columns that are wanted.',
      columns: COLUMNS,
      arguments: '[column/...]',
      cacheMs: NODES_MS,
      rows: async (_args, _asker, signal) => (await nodes.get(signal)).map(({ name, ip }) => ({ name, ip })),
    },
    now,
  );
  return {
    ...all,
    async read(args, asker, signal) {
      const places = args.map((arg) => COLUMNS.findIndex(({ name }) => name === arg));
      if (places.includes(-1) || new Set(places).size < places.length) {
        throw new SensorError('BadArguments', 'give columns of ip and name, each once, such as /nodes/ip/name');
      }
      const reading = await all.read([], asker, signal);
      if (places.length === 0) return reading;
      const rows = reading.rows.map((row): Cell[] => places.map((place) => row[place]!));
      return { ...reading, columns: places.map((place) => COLUMNS[place]!), rows };
    },
  };
}
