/** The node manager as a whole: the parts, put together. */
import { existsSync, mkdirSync, readFileSync, watch } from 'node:fs';
import { release as kernelRelease } from 'node:os';
import { join } from 'node:path';
import { LABEL_NODE, nodeLabelValue } from '../crds/names.ts';
import type { ResourceCapability, RspecPort, SliceNode } from '../crds/types.ts';
import type { ApiClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import { serveHealth } from '../kube/health.ts';
import { startInformer } from '../kube/informer.ts';
import type { Log } from '../kube/log.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import { keyOf, Resources } from '../kube/resources.ts';
import type { PodLinks } from './addresses/links.ts';
import { AddressWatch } from './addresses/watch.ts';
import { PolicySource } from './admission/ownerfile.ts';
import type { Policy } from './admission/policy.ts';
import { startAudit } from './audit/start.ts';
import { Budgets } from './budget/budgets.ts';
import { readOtherRequests } from './admission/requests.ts';
import { bounded, lean, Turns } from './admission/turns.ts';
import { asked, decided } from './changes.ts';
import { loadCheckpoint } from './checkpoint.ts';
import { type NodeConfig, pathsOf } from './config.ts';
import { readLineRate } from './egress/observe.ts';
import { createEnforcers } from './enforcers.ts';
import { GrantLog } from './grantlog.ts';
import { startLocal } from './local/start.ts';
import { Loop } from './loop.ts';
import { OrderFiles } from './owner/orders.ts';
import { runPass, SETTLED_MS } from './pass.ts';
import { podCgroups } from './podcgroups.ts';
import { announceTo } from './report/announce.ts';
import { startHeartbeat } from './report/heartbeat.ts';
import { createNodeMetrics } from './report/metrics.ts';
import { Reporter, versioned } from './report/reporter.ts';
import { Statuses } from './report/statuses.ts';
import { startSensors } from './sensors/start.ts';
import { formatRows, readRows } from './slivers.ts';
import { StateStore } from './state.ts';
import { startUsage } from './usage/start.ts';
import { SliverDirectories } from './volume/directory.ts';
import { kernelMounts } from './volume/mounts.ts';
import { createVolumeService } from './volume/publish.ts';
import { startVolumeServer } from './volume/server.ts';

export interface ManagerParts {
  config: NodeConfig;
  client: ApiClient;
  metrics: KubeMetrics;
  version: string;
  log: Log;
}

/** Whose fields of a status are ours. */
const FIELD_MANAGER = 'slice-operator-node';
/** No pass for so long: the manager hangs, and must be started anew. */
const HANGING_MS = 180_000;

/** Starts everything; the returned function stops it and leaves the kernel as it is, so that an upgrade has no gap. */
export async function startManager({
  config,
  client,
  metrics,
  version,
  log,
}: ManagerParts): Promise<() => Promise<void>> {
  const { nodeName, namespace, kubeletDirectory, cgroupPrefix } = config;
  const paths = pathsOf(config);
  for (const directory of [config.stateDirectory, paths.slivers]) mkdirSync(directory, { recursive: true });
  const { state, problem } = loadCheckpoint(paths.checkpoint, Date.now());
  if (problem) log.error({ problem }, 'checkpoint set aside');
  const store = new StateStore(paths.checkpoint, state);
  const tree = { prefix: cgroupPrefix };
  const cgroups = podCgroups(tree);
  const directories = new SliverDirectories(paths.slivers, nodeName);
  const policy = new PolicySource(config.policyFile, { settledMs: SETTLED_MS });
  const nodeMetrics = createNodeMetrics(metrics.registry);
  const orders = new OrderFiles(paths.orders);
  // before all that wakes it: it runs nothing until all parts are there
  const loop = new Loop({ run: (full) => run(full), log });
  const wake = (): void => loop.wake();
  const ordered = watch(paths.orders, wake).on('error', (err) => log.warn({ err }, 'orders are seen late'));

  const addresses = new AddressWatch({
    directoryOf: cgroups.directoryOf,
    onError: (pod, err) => log.warn({ pod, err }, 'the interfaces of a pod were not found'),
    onFound: (uid, found) =>
      void classify(uid, found).catch((error: Error) => {
        log.warn({ pod: uid, err: error }, 'addresses were not classified');
      }),
  });
  const classify = async (uid: string, found: PodLinks): Promise<void> => {
    const { pods } = store.get();
    const known = pods.find((pod) => pod.uid === uid);
    if (!known) return;
    store.accept({ pods: pods.map((pod) => (pod === known ? { ...pod, ...found } : pod)) });
    await loop.pass();
    const before = known.addresses.length === 0 ? addresses.bytesSent(uid) : undefined;
    nodeMetrics.unclassified(before ?? 0);
    log.info({ pod: uid, ...found, sentBefore: before }, 'addresses classified');
  };
  const reporter = new Reporter({
    log,
    write: async (report) => {
      const { store: known } = report.kind === 'SliceNode' ? sliceNodes : rcaps;
      // For that very version: a late status must not come to a new object of the name.
      const whole = versioned(report, known.get(keyOf(report)));
      if (whole) await client.apply(whole, { fieldManager: FIELD_MANAGER, force: true, subresource: 'status' });
    },
  });
  const recorder = new EventRecorder({ client, component: 'slice-operator-node', log });
  const turns = new Turns();
  let soon: NodeJS.Timeout | undefined;
  /** Our own writes come back as changes; what they say is known. */
  const wakeIfAsked = (_key: string, after?: ResourceCapability, before?: ResourceCapability): void => {
    if (after && before && asked(after) === asked(before)) return;
    if (!after || turns.left(after.metadata.namespace ?? '') >= 1) loop.wake(after !== undefined);
    else soon ??= setTimeout(() => ((soon = undefined), wake()), 1000).unref();
  };
  const directoryOf = (uid: string): string => directories.path(uid);
  const readPolicy = (): Policy | undefined => policy.read(store.get()).policy;
  const local = startLocal({
    ...{ nodeName, client, directoryOf, store, policy: readPolicy, registry: metrics.registry, log },
    rcaps: () => parts.rcaps(),
    sliceNode: () => sliceNodes.store.get(nodeName),
  });
  const rcaps = startInformer<ResourceCapability>({
    client,
    log,
    resource: Resources.ResourceCapability,
    labelSelector: `${LABEL_NODE}=${nodeLabelValue(nodeName)}`,
    transform: lean,
    onChange: wakeIfAsked,
  });
  const sliceNodes = startInformer<SliceNode>({
    client,
    log,
    resource: Resources.SliceNode,
    fieldSelector: `metadata.name=${nodeName}`,
    onChange: (_key, after, before) => {
      if (!after || !before || decided(after) !== decided(before)) wake();
    },
  });
  const enforcers = createEnforcers({ config, directoryOf, onDisturbed: wake, log });
  const isGone = (uid: string): boolean => !cgroups.isRunning(uid) && !existsSync(join(kubeletDirectory, 'pods', uid));
  const usage = startUsage({ tree, pods: () => store.get().pods, guarded: enforcers.guard.counters, log });
  const audit = await startAudit({
    nodeName,
    directory: paths.flows,
    socket: config.auditPage ? paths.auditSocket : undefined,
    nodeAddress: config.nodeAddress,
    drain: () => enforcers.guard.kernel()?.drainFlows() ?? [],
    state: () => store.get(),
    policy: readPolicy,
    log,
  });
  const sensing = { config, client, directoryOf, store, policy: readPolicy, ...enforcers, audit };
  const sensors = await startSensors({ ...sensing, onChange: wake, log });
  const budgets = new Budgets({
    path: paths.budget,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    counters: () => enforcers.egress.lineCounters(),
    now: Date.now,
  });
  let others: number | undefined;
  const parts = {
    nodeName,
    store,
    grantLog: new GrantLog({ path: paths.grantLog }),
    announce: announceTo(recorder, (key) => rcaps.store.get(key)),
    policy,
    orders: () => orders.read(),
    turns,
    rcaps: () => (rcaps.store.synced ? bounded(rcaps.store.list(), store.get().ledger) : undefined),
    sliceNode: () => sliceNodes.store.get(nodeName),
    otherRequests: (slivers: ReadonlySet<string>, cpuMilli: number, fresh: boolean) => {
      if (fresh || others === undefined) others = readOtherRequests(slivers, cpuMilli, paths.cpuOriginals, tree);
      return others;
    },
    lineRate: readLineRate,
    heldPorts: (ports: readonly RspecPort[]) => enforcers.ports.held(ports),
    isGone,
    hasStarted: cgroups.hasStarted,
    budgets,
    audit,
    enforcers: [...enforcers.list, sensors.enforcer, local.enforcer],
    published: sensors.status,
    directories,
    addresses,
    statuses: new Statuses(reporter),
    metrics: nodeMetrics,
    onDesired: usage.onDesired,
    attributes: { kernel: kernelRelease(), cgroups: `v${cgroups.version()}` },
    versions: { nodeManager: version, kernel: kernelRelease() },
    log,
    now: Date.now,
  };

  const blackouts = (): Policy['blackouts'] => readPolicy()?.blackouts ?? [];
  let lastPass = Date.now();
  const run = async (full: boolean): ReturnType<typeof runPass> => {
    const began = process.hrtime.bigint();
    const result = await runPass(parts, full);
    lastPass = Date.now();
    nodeMetrics.passed(Number(process.hrtime.bigint() - began) / 1e9, result.failed);
    return result;
  };
  const isAlive = (): boolean => Date.now() - lastPass < HANGING_MS;
  const health = await serveHealth({
    host: config.healthAddress,
    port: config.healthPort,
    registry: metrics.registry,
    live: () => (isAlive() ? undefined : 'no pass has ended for 3 minutes'),
    ready: () => (rcaps.store.synced ? undefined : 'the API server has not been heard yet'),
    documents: { '/slivers': () => formatRows(readRows(store.get(), blackouts(), Date.now(), usage.cpu), Date.now()) },
    more: () => usage.metrics(sensors.sensors, namespace),
  });
  loop.start();
  // The files of our own are enough for the first pass: it does not wait for the API server.
  await loop.pass().catch((error: Error) => log.error({ err: error }, 'first pass failed'));
  const volume = await startVolumeServer({
    service: createVolumeService({
      store,
      directories,
      mounts: kernelMounts(),
      kubeletDirectory,
      blackouts,
      pass: () => loop.pass(),
      isRunning: cgroups.isRunning,
      isGone,
      now: Date.now,
    }),
    nodeName,
    version,
    csiSocket: paths.csiSocket,
    registrationSocket: paths.registrationSocket,
    log,
  });
  const heartbeat = startHeartbeat({ client, nodeName, namespace, fieldManager: FIELD_MANAGER, isAlive, log });
  log.info({ node: nodeName, version, pods: state.pods.length }, 'node manager started');

  return async () => {
    heartbeat.stop();
    ordered.close();
    await volume.close();
    await loop.stop();
    budgets.save(true);
    await Promise.all([sensors.close(), local.close()]);
    await audit.close();
    addresses.close();
    enforcers.close();
    usage.close();
    reporter.close();
    await Promise.all([rcaps.stop(), sliceNodes.stop(), health.close()]);
    await client.close();
    log.info('node manager stopped');
  };
}
