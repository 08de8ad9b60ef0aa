/**
 * The node manager. `main.ts` runs it; `main.ts status [--json]` shows every sliver with what it was promised and what it
 * got; `main.ts release` puts back everything in the kernel, for when it is uninstalled.
 */
import { readFileSync } from 'node:fs';
import { PolicySource } from './admission/ownerfile.ts';
import { EMPTY_STATE, loadCheckpoint, type NodeState, parseCheckpoint } from './checkpoint.ts';
import { type NodeConfig, pathsOf, readConfig } from './config.ts';
import { createCpuMeter } from './cpu/usage.ts';
import { formatTable } from './report/table.ts';
import { formatRows, readRows } from './slivers.ts';
import { planStandings } from './standing.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

async function run(config: NodeConfig): Promise<void> {
  // loaded here, because the client library takes more CPU to load than the other commands take in all
  const { createClient } = await import('../kube/client.ts');
  const { createLog } = await import('../kube/log.ts');
  const { createMetrics } = await import('../kube/metrics.ts');
  const { startManager } = await import('./manager.ts');
  const log = createLog('node-manager', config.logLevel);
  const metrics = createMetrics();
  const { kubeconfig } = config;
  const userAgent = `slice-operator-node/${version}`;
  const client = await createClient({ kubeconfig, userAgent, onRequest: metrics.onRequest });
  const stop = await startManager({ config, client, metrics, version, log });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      log.info({ signal }, 'stop was asked for');
      stop().then(
        () => process.exit(0),
        (error: Error) => {
          log.error({ err: error }, 'stop failed');
          process.exit(1);
        },
      );
    });
  }
}

function showStatus(config: NodeConfig, json: boolean): void {
  const state = readState(config);
  const { policy } = new PolicySource(config.policyFile).read(state);
  const rows = readRows(state, policy?.blackouts ?? [], Date.now(), createCpuMeter({ prefix: config.cgroupPrefix }));
  process.stdout.write(json ? formatRows(rows, Date.now()) : formatTable(rows));
}

/** The files of the manager stay: the grant log is the owner's. */
async function release(config: NodeConfig): Promise<void> {
  const { createEnforcers } = await import('./enforcers.ts');
  const { createLog } = await import('../kube/log.ts');
  const log = createLog('node-manager', config.logLevel);
  const { pods, ledger } = loadCheckpoint(pathsOf(config).checkpoint, Date.now()).state;
  const enforcers = createEnforcers({ config, directoryOf: () => config.runDirectory, onDisturbed: () => {}, log });
  await enforcers.release(planStandings(pods, ledger, [], Date.now()).slivers);
}

/** As it is on the disk; a manager that runs beside may be about to replace it. */
function readState(config: NodeConfig): NodeState {
  try {
    return parseCheckpoint(readFileSync(pathsOf(config).checkpoint, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_STATE;
    throw error;
  }
}

async function main([command, ...args]: string[]): Promise<void> {
  const config = readConfig(process.env);
  if (command === undefined) return await run(config);
  if (command === 'status') return showStatus(config, args.includes('--json'));
  if (command === 'release') return await release(config);
  throw new Error(`there is no command ${command}: give none, status [--json] or release`);
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`node-daemonset: ${error.message}\n`);
  process.exit(1);
});
