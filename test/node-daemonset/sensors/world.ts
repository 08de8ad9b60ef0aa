/** The sensors of a node without a node: real HTTP, real sockets, and whatever sources a test wants. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cell } from '../../../crds/reading.ts';
import { amounts } from '../../../crds/rspec.ts';
import type { RspecPort, Sensor, SensorSpec } from '../../../crds/types.ts';
import { Agents } from '../../../node-daemonset/sensors/agents.ts';
import { Catalogue } from '../../../node-daemonset/sensors/catalogue.ts';
import { SensorRegistry } from '../../../node-daemonset/sensors/readings.ts';
import type { Listening } from '../../../kube/listen.ts';
import { servePageSocket, serveSensors } from '../../../node-daemonset/sensors/server.ts';
import { createSliverSockets } from '../../../node-daemonset/sensors/sockets.ts';
import { builtin, type Builtin } from '../../../node-daemonset/sensors/builtin/builtin.ts';
import type { Source, Stream } from '../../../node-daemonset/sensors/source.ts';
import type { Desired, Sliver } from '../../../node-daemonset/sliver.ts';

export const NAMESPACE = 'observatory';

export function sliverOf(slice: string, more: Partial<Sliver> & { ports?: RspecPort[] } = {}): Sliver {
  const { ports = [], ...rest } = more;
  return {
    id: `uid-${slice}`,
    rcap: { namespace: NAMESPACE, name: `${slice}-1`, uid: `rcap-${slice}` },
    slice,
    standing: 'entitled',
    network: 'Host',
    amounts: { ...amounts({}), ports },
    classId: 0x101,
    number: 7,
    addresses: [],
    ...rest,
  };
}

export function sensorOf(name: string, spec: Partial<SensorSpec>, namespace = NAMESPACE): Sensor {
  const columns: SensorSpec['columns'] = [{ name: 'value', type: 'number' }];
  return {
    apiVersion: 'slice-operator.io/v1alpha1',
    kind: 'Sensor',
    metadata: { name, namespace, uid: `uid-${name}`, generation: 1 },
    spec: { columns, ...spec },
  };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface World {
  server: Listening;
  /** Where the page of the sensors asks. */
  pageSocket: string;
  registry: SensorRegistry;
  catalogue: Catalogue;
  agents: Agents;
  directory: string;
  /** The socket of a sliver. */
  socketOf(sliver: Sliver): string;
  serve(sensors: readonly Sensor[], slivers: readonly Sliver[]): Promise<void>;
  get(path: string, options?: { method?: string; headers?: Record<string, string>; socket?: string }): Promise<Answer>;
  close(): Promise<void>;
}

/** `streams`: what those of the builtins are that go on, by name. */
export async function createWorld(
  builtins: readonly Builtin[] = [],
  streams: Readonly<Record<string, Stream>> = {},
): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'sensors-'));
  const agents = new Agents();
  const catalogue = new Catalogue({ nodeName: 'node1', releaseNamespace: 'slice-system', agents, now: Date.now });
  const own = builtins.map((one): Source => {
    const source = builtin(one, Date.now);
    const stream = streams[one.name];
    return stream ? { ...source, info: { ...source.info, type: 'Streaming' }, stream } : source;
  });
  const registry = new SensorRegistry({
    // another map each time, as tests change what is in it
    sources: () => new Map([...own.map((one) => [one.info.name, one] as const), ...catalogue.sources()]),
  });
  const answering = { registry, nodeName: 'node1', documents: {}, now: Date.now };
  let slivers: readonly Sliver[] = [];
  const directoryOf = (uid: string): string => join(directory, uid);
  const sockets = createSliverSockets({
    answering,
    agents,
    directoryOf,
    onSlivers: () => undefined,
    // one sliver at a time connects in these tests
    podOf: () => slivers[0]?.id,
  });
  const server = await serveSensors(answering, { port: 0 });
  const pageSocket = join(directory, 'page/query.sock');
  const page = await servePageSocket(answering, { socket: pageSocket, group: undefined });
  return {
    server,
    pageSocket,
    registry,
    catalogue,
    agents,
    directory,
    socketOf: ({ id }) => join(directoryOf(id), 'sensors'),
    async serve(sensors, found) {
      slivers = found;
      for (const { id } of found) mkdirSync(directoryOf(id), { recursive: true });
      await sockets.enforce({ slivers: found } as unknown as Desired, new AbortController().signal);
      catalogue.update(sensors, found);
    },
    get: (path, { method = 'GET', headers = {}, socket } = {}) =>
      ask({ path, method, headers, ...(socket ? { socketPath: socket } : { host: '127.0.0.1', port: server.port }) }),
    async close() {
      catalogue.close();
      sockets.close();
      await Promise.all([server.close(), page.close()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function ask(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** A builtin that says what it is given. */
export function saying(name: string, rows: () => Record<string, Cell>[], more: Partial<Builtin> = {}): Builtin {
  return { name, description: `says ${name}`, columns: [{ name: 'value', type: 'number' }], rows, ...more };
}
