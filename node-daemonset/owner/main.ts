#!/usr/local/bin/node
/**
 * slice-node: the owner's command on the node itself, run in the node manager's container. It leaves its orders in files, and
 * looks into the checkpoint whether the node manager took them up: neither needs the API server, nor any credential.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { formatRate } from '../../crds/quantity.ts';
import { PolicySource } from '../admission/ownerfile.ts';
import { EMPTY_STATE, type NodeState, parseCheckpoint } from '../checkpoint.ts';
import { type NodeConfig, pathsOf, readConfig } from '../config.ts';
import { createCpuMeter } from '../cpu/usage.ts';
import { formatTable } from '../report/table.ts';
import { readRows, readSuspenders } from '../slivers.ts';
import { type Command, formatOrders, formatSuspenders, parseCommand, USAGE, UsageError } from './command.ts';
import { OrderFiles } from './orders.ts';

/** So long the node manager is waited for; it needs one pass. */
const TAKEN_UP_MS = 15_000;
const POLL_MS = 100;

type Named = Pick<Extract<Command, { do: 'resume' }>, 'namespace' | 'slice'>;

/** Answers what to print; `since`: now. */
async function obey(command: Command, config: NodeConfig, since: string): Promise<string> {
  const files = new OrderFiles(pathsOf(config).orders);
  switch (command.do) {
    case 'list':
      return list(command.json, config, files);
    case 'cap':
      files.cap({ egressLimit: command.egressLimit, reason: command.reason, since });
      await takenUp(config, ({ cap }) => cap?.since === since);
      return `all slices together send at most ${formatRate(command.egressLimit)} from now on\n`;
    case 'uncap':
      if (!files.uncap()) return 'there was no cap\n';
      await takenUp(config, ({ cap }) => cap === undefined);
      return 'the cap is taken back: the policy holds\n';
    case 'suspend':
      files.suspend({ ...command, since });
      await takenUp(config, ({ suspended }) => suspended.some((one) => one.since === since && isSame(one, command)));
      return `${nameOf(command)} is suspended: ${podsOf(command, config)}\n`;
    case 'resume':
      if (!files.resume(command.namespace, command.slice)) return `${nameOf(command)} was not suspended here\n`;
      await takenUp(config, ({ suspended }) => !suspended.some((one) => isSame(one, command)));
      return `${nameOf(command)} is not suspended by the owner any more\n`;
    case 'help':
    default:
      return USAGE;
  }
}

function list(json: boolean, config: NodeConfig, files: OrderFiles): string {
  const state = { ...readState(config), orders: files.read() };
  const { policy, problem } = new PolicySource(config.policyFile).read(state);
  const now = Date.now();
  const rows = readRows(state, policy?.blackouts ?? [], now, createCpuMeter({ prefix: config.cgroupPrefix }));
  if (json) return `${JSON.stringify({ time: now, slivers: rows, orders: state.orders }, null, 2)}\n`;
  const which = policy ? 'the last valid one holds' : 'there never was a valid one, nothing is granted';
  const wrong = problem === undefined ? '' : `POLICY ${which}: ${problem}\n`;
  return formatTable(rows) + formatSuspenders(readSuspenders(state)) + formatOrders(state.orders) + wrong;
}

/** The order is on the disk, so it holds whether the manager is quick or not: this only says so. */
async function takenUp(config: NodeConfig, test: (orders: NodeState['orders']) => boolean): Promise<void> {
  for (const end = performance.now() + TAKEN_UP_MS; performance.now() < end; await pause(POLL_MS)) {
    if (test(readState(config).orders)) return;
  }
  throw new Error('the order is written down, but the node manager has not taken it up yet: see its log');
}

function podsOf({ namespace, slice }: Named, config: NodeConfig): string {
  const { pods } = readState(config);
  const count = pods.filter((pod) => pod.rcap.namespace === namespace && (slice ?? pod.slice) === pod.slice).length;
  if (count === 0) return 'nothing of it runs here now, and nothing will';
  return `${count === 1 ? 'its pod here is' : `its ${count} pods here are`} held down, and frozen after 30 s`;
}

/** As it is on the disk; the manager replaces it as a whole. */
function readState(config: NodeConfig): NodeState {
  try {
    return parseCheckpoint(readFileSync(pathsOf(config).checkpoint, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_STATE;
    throw error;
  }
}

function isSame(one: Named, other: Named): boolean {
  return one.namespace === other.namespace && one.slice === other.slice;
}

function nameOf({ namespace, slice }: Named): string {
  return slice === undefined ? `every slice of ${namespace}` : `${namespace}/${slice}`;
}

try {
  const command = parseCommand(process.argv.slice(2));
  process.stdout.write(await obey(command, readConfig(process.env), new Date().toISOString()));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`slice-node: ${(error as Error).message}\n${isUsage ? `\n${USAGE}` : ''}`);
  process.exit(isUsage ? 2 : 1);
}
