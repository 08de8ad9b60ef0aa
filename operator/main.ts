/** The operator's process: settings from the environment, composition, and an orderly end. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { createClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import { serveHealth } from '../kube/health.ts';
import { Leader } from '../kube/leader.ts';
import { createLog } from '../kube/log.ts';
import { createMetrics } from '../kube/metrics.ts';
import { createAsker } from './audit/ask.ts';
import { serveClusterAudit } from './audit/server.ts';
import { type Controller, readControllers } from './controllers.ts';
import { SliceOperator } from './operator.ts';
import { createSensorAsker } from './sensors/ask.ts';
import { serveClusterSensors } from './sensors/server.ts';
import { parseSiteShares } from './site/sites.ts';
import { bySensor } from './watchdog/readings.ts';
import { createSensorReadings } from './watchdog/sensors.ts';
import { createSentReadings, SENT } from './watchdog/sent.ts';

const LEASE = 'slice-operator';
/** What is under way when the process is told to end has this long. */
const GRACE_MS = 10_000;

const { values } = parseArgs({ options: { controllers: { type: 'string', default: '*' } } });
const controllers = wanted(values.controllers);

function wanted(text: string): ReadonlySet<Controller> {
  try {
    return readControllers(text);
  } catch (error) {
    console.error(`--controllers: ${(error as Error).message}`);
    return process.exit(2);
  }
}

const {
  NAMESPACE: namespace = 'slice-operator',
  POD_NAME: podName = hostname(),
  LOG_LEVEL: level = 'info',
  HEALTH_HOST: host,
  HEALTH_PORT: port = '8081',
  // where one question to all nodes' pages is asked; empty: nowhere
  AUDIT_PORT: auditPort = '',
  // the same of their sensors
  SENSORS_PORT: sensorsPort = '',
  // the pool of each site, in shares for each node; empty: no pools
  SITE_SHARES: siteShares = '',
  // other numbers for some, in JSON: by the label of sites, and by namespaces without it
  SITES_LABELLED: sitesLabelled = '',
  SITES_NAMESPACES: sitesNamespaces = '',
} = process.env;

const log = createLog('slice-operator', level);
const metrics = createMetrics();
const { registry, onRequest } = metrics;
// in a container the pid is the same again after a restart, and a process must not take its forerunner's lease for its own
const identity = `${podName}_${randomUUID()}`;

// the leader's own requests go past the fence that they hold up
const leader = new Leader({ client: await createClient({ onRequest }), namespace, name: LEASE, identity, log });
const client = await createClient({ onRequest, fence: leader.fence, lost: leader.lost, connections: 32 });
const recorder = new EventRecorder({ client, component: 'slice-operator', log });
const clock = { wall: () => Date.now(), monotonic: () => performance.now() };
const askers = { audit: createAsker(), sensors: createSensorAsker() };
// connections of their own: whoever asks the operator for something slow keeps no watchdog from its readings
const watching = { audit: createAsker(), sensors: createSensorAsker() };
const operator: SliceOperator = new SliceOperator({
  client,
  recorder,
  log,
  metrics,
  clock,
  releaseNamespace: namespace,
  controllers,
  ...(siteShares !== '' && { siteShares: parseSiteShares(siteShares, sitesLabelled, sitesNamespaces) }),
  readings: bySensor(
    { [SENT]: createSentReadings(watching.audit, () => operator.sliceNodes) },
    createSensorReadings(watching.sensors, () => operator.sliceNodes),
  ),
});
const health = await serveHealth({
  port: Number(port),
  ...(host && { host }),
  registry,
  ready: () => operator.problem,
});
const at = (text: string) => ({ port: Number(text), host, sliceNodes: () => operator.sliceNodes, log });
const answering = [
  auditPort === '' ? undefined : await serveClusterAudit({ ...at(auditPort), asker: askers.audit }),
  sensorsPort === '' ? undefined : await serveClusterSensors({ ...at(sensorsPort), asker: askers.sensors }),
];
metrics.setLeading(LEASE, false);

let ending = false;
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(code || 1), GRACE_MS).unref();
  operator.stop();
  await operator.finished();
  await recorder.flush();
  await leader.stop().catch((error: unknown) => log.warn({ err: error }, 'the lease could not be given back'));
  const all = [...Object.values(askers), ...Object.values(watching)];
  await Promise.all([health.close(), ...all.map((asker) => asker.close())]);
  await Promise.all(answering.map(async (server) => await server?.close()));
  await client.close();
  log.info({ code }, 'the operator ended');
  process.exit(code);
}
process.on('SIGTERM', () => void end(0));
process.on('SIGINT', () => void end(0));
leader.lost.addEventListener('abort', () => {
  metrics.setLeading(LEASE, false);
  // the caches are warm but the state of this process is not to be trusted: begin anew, as a follower
  void end(1);
});

const election = leader.run();
await operator.start();
log.info({ controllers: [...controllers] }, 'the operator began to watch');
await leader.elected;
metrics.setLeading(LEASE, true);
operator.work();
log.info({ identity }, 'the operator began to lead');
await election;
