/** The sensors as a part of the node manager: what they are made from, and who may ask them. */
import type { Logger } from 'pino';
import type { PublishedPage, Sensor, ServedSensor } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { startInformer } from '../../kube/informer.ts';
import type { Listening } from '../../kube/listen.ts';
import { Resources } from '../../kube/resources.ts';
import type { Policy } from '../admission/policy.ts';
import type { Audit } from '../audit/start.ts';
import { type NodeConfig, PAGE_GROUP, pathsOf } from '../config.ts';
import { sumCounters } from '../egress/counters.ts';
import { readClassCounters } from '../egress/netlink.ts';
import type { ClassCounters } from '../egress/tc.ts';
import type { EgressEnforcer } from '../egress/apply.ts';
import type { GuardEnforcer } from '../guard/apply.ts';
import type { Enforcer, Sliver } from '../sliver.ts';
import type { StateStore } from '../state.ts';
import { Agents } from './agents.ts';
import { EndedSlivers } from './builtin/ended.ts';
import { flowsSensor } from './builtin/flows.ts';
import { machineSensors } from './builtin/machine.ts';
import { NodeList, nodesSensor } from './builtin/nodes.ts';
import { ProbeBudget } from './builtin/probebudget.ts';
import { startRates } from './builtin/rates.ts';
import { rightsSensors } from './builtin/rights.ts';
import { sliverSensors } from './builtin/slivers.ts';
import { topologySensors } from './builtin/topology.ts';
import { readCpuTimes, readUsage } from './builtin/usage.ts';
import { Catalogue } from './catalogue.ts';
import { KeptSensors } from './kept.ts';
import { SensorRegistry } from './readings.ts';
import type { Sensors } from './registry.ts';
import { servePageSocket, serveSensors } from './server.ts';
import { createSliverSockets } from './sockets.ts';
import type { Source } from './source.ts';

export interface SensorParts {
  config: NodeConfig;
  client: ApiClient;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  store: Pick<StateStore, 'get'>;
  policy(): Policy | undefined;
  guard: Pick<GuardEnforcer, 'counters'>;
  /** Of a pass that removes classes, what these had counted before. */
  egress: Pick<EgressEnforcer, 'counters'>;
  audit: Pick<Audit, 'ask'>;
  /** To be called when a pass should report. */
  onChange(): void;
  log: Logger;
}

export interface NodeSensors {
  sensors: Sensors;
  /** Gives slivers their sockets; to be run in each pass. */
  enforcer: Enforcer;
  /** For the SliceNode's status. */
  status(): { address: string | undefined; sensorPage: PublishedPage | undefined; sensors: ServedSensor[] };
  close(): Promise<void>;
}

/** Counts alone are no reason for a write of the status sooner: they change with every reading, on every node. */
const STATUS_MS = 300_000;
/** How often it is looked for Sensors that begin or cease to fail. */
const WATCH_MS = 5_000;

/** Resolves when the port is open, or is known not to be to be had: the node's promises do not depend on it. */
export async function startSensors(parts: SensorParts): Promise<NodeSensors> {
  const { config, client, policy, log } = parts;
  const { nodeName, namespace, nodeAddress, cgroupPrefix: prefix } = config;
  const now = Date.now;
  let slivers: readonly Sliver[] = [];
  const agents = new Agents();
  const catalogue = new Catalogue({ nodeName, releaseNamespace: namespace, agents, now });
  const nodes = new NodeList(client);
  const classes = (): ReadonlyMap<number, ClassCounters> => sumCounters(readClassCounters().values());
  const sampled = startRates({
    slivers: () => slivers,
    classes,
    cpuTimes: () => readCpuTimes(idsOf(slivers), { prefix }),
    clock: () => performance.now(),
  });
  const ended = new EndedSlivers();
  const budget = new ProbeBudget(() => policy()?.sensors.probesPerMinute ?? 0);
  const builtins: readonly Source[] = [
    ...machineSensors({ disks: [config.stateDirectory, config.runDirectory], now }),
    ...sliverSensors({
      slivers: () => slivers,
      classes,
      drops: parts.guard.counters,
      usage: () => readUsage(idsOf(slivers), { prefix }),
      ended: () => ended.list(performance.now()),
      rates: sampled.rates,
      now,
    }),
    ...rightsSensors({ state: () => parts.store.get(), now }),
    nodesSensor(nodes, now),
    flowsSensor({ ask: parts.audit.ask, now }),
    ...topologySensors({ nodeName, nodes, budget, now }),
  ];
  const own = new Map(builtins.map((one) => [one.info.name, one]));
  let all: ReadonlyMap<string, Source> = own;
  let custom: ReadonlyMap<string, Source> | undefined;
  const registry = new SensorRegistry({
    sources() {
      if (custom !== catalogue.sources()) all = new Map([...own, ...(custom = catalogue.sources())]);
      return all;
    },
  });
  catalogue.onDue(({ info }) => {
    registry.read(info.name, [], { kind: 'node' }, new AbortController().signal).catch(() => undefined);
  });

  const kept = new KeptSensors({ nodeName, releaseNamespace: namespace });
  const informer = startInformer<Sensor>({
    client,
    log,
    resource: Resources.Sensor,
    transform: (sensor) => kept.keep(sensor),
    onChange(key, after) {
      if (!after) kept.forget(key);
      update();
    },
  });
  const update = (): void => {
    if (informer.store.synced) catalogue.update(informer.store.list(), slivers);
  };
  const listen = (): { address: string; port: number } | undefined => {
    const page = config.sensorPage ? policy()?.sensors.page : undefined;
    return page && { address: page.address ?? '', port: page.port };
  };
  const answering = {
    registry,
    nodeName,
    documents: { '/published': () => ({ listen: listen() ?? null }) },
    now,
  };
  const sockets = createSliverSockets({
    answering,
    agents,
    directoryOf: parts.directoryOf,
    onSlivers(found) {
      ended.update(found, parts.egress.counters(), performance.now());
      slivers = found;
      update();
    },
  });
  const server = await serveSensors(answering).catch((error: Error): Listening | undefined => {
    log.error({ err: error }, 'sensors answer over the sockets of slivers only');
    return undefined;
  });
  const socket = config.sensorPage ? pathsOf(config).sensorSocket : undefined;
  const page = await (socket ? servePageSocket(answering, { socket, group: PAGE_GROUP }) : undefined)?.catch(
    (error: Error): undefined => {
      log.error({ err: error }, 'sensors can not be published');
    },
  );

  let told = '';
  let status: { at: number; sensors: ServedSensor[] } = { at: -Infinity, sensors: [] };
  const watch = setInterval(() => {
    if (catalogue.verdict() !== told) parts.onChange();
  }, WATCH_MS).unref();

  return {
    sensors: registry,
    enforcer: sockets,
    status() {
      const verdict = catalogue.verdict();
      if (verdict !== told || performance.now() - status.at > STATUS_MS) {
        told = verdict;
        status = { at: performance.now(), sensors: catalogue.status() };
      }
      const { address, port } = listen() ?? {};
      const everywhere = address === '' || /^[0:.]*$/.test(address ?? '');
      const at = everywhere ? nodeAddress : address;
      const sensorPage = at !== undefined && port !== undefined && page ? { address: at, port } : undefined;
      return { address: nodeAddress, sensorPage, sensors: status.sensors };
    },
    async close() {
      clearInterval(watch);
      sampled.close();
      catalogue.close();
      sockets.close();
      await Promise.all([informer.stop(), server?.close(), page?.close()]);
    },
  };
}

function idsOf(slivers: readonly Sliver[]): string[] {
  return slivers.map(({ id }) => id);
}
