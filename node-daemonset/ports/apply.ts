/** Keeps every owned port of the node's address for its owner: one nft transaction a pass at most, none if all is well. */
import { isIPv6 } from 'node:net';
import type { RspecPort } from '../../crds/types.ts';
import { observeNodeAddresses } from '../addresses/node.ts';
import type { HeldPort } from '../admission/held.ts';
import { readDefaultRoutes } from '../egress/observe.ts';
import { ExecError, run } from '../exec.ts';
import type { Desired, Enforcer, EnforcerReport } from '../sliver.ts';
import { type Link, parseLinks } from './links.ts';
import { type ObservedTable, parseTable, removeTable, TABLE } from './nft.ts';
import { isNeeded, planPorts } from './plan.ts';
import { ReservedPorts } from './reserved.ts';
import { scanPorts } from './scan.ts';

export interface PortsOptions {
  /** A file of ours, on a disk that outlives a reboot: which ports we reserved. */
  stateFile: string;
}

/** The ports enforcer; acts in the network namespace of this process, the node's. */
export interface PortsEnforcer extends Enforcer {
  /**
   * Keeps these ports from being handed out by chance, until the next pass, and says which of them are in use: in this
   * order, so that none is taken in between. Rejects where that can't be known.
   */
  held(asked: readonly RspecPort[]): Promise<HeldPort[]>;
}

export function createPortsEnforcer({ stateFile }: PortsOptions): PortsEnforcer {
  const reserved = new ReservedPorts(stateFile);

  return {
    name: 'ports',

    async held(asked) {
      reserved.add(numbersOf(asked));
      return await scanPorts(asked);
    },

    async enforce(desired: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      const reservations = reserved.set(numbersOf(desired.ports));
      const needed = isNeeded(desired);
      const [table, links, { lines: addresses }] = await Promise.all([
        observeTable(signal),
        needed ? observeLinks(desired, signal) : [],
        needed ? observeNodeAddresses(desired.facts.lines, signal) : { lines: [] },
      ]);
      const handedOut = reserved.handedOut();
      const { script, departed, problems } = planPorts({ table, links, addresses, handedOut }, desired);
      await nft(script, signal);
      for (const address of departed) await forgetFlows(address, signal);
      return { writes: reservations + script.length, problems };
    },

    async release(): Promise<void> {
      await nft(removeTable());
      reserved.release();
    },
  };
}

/** Identifiers of ICMP are not handed out by this range. */
function numbersOf(ports: readonly RspecPort[]): number[] {
  return ports.filter(({ protocol }) => protocol !== 'ICMP').map(({ port }) => port);
}

/** One transaction: all of it, or none. */
async function nft(script: readonly string[], signal?: AbortSignal): Promise<void> {
  if (script.length === 0) return;
  await run(['nft', '-f', '-'], { input: `${script.join('\n')}\n`, ...(signal && { signal }) });
}

/**
 * The kernel leads the packets of a flow where it led the first one, as long as they keep coming: a client that never pauses
 * would never reach the pod that took the other's place. Where the node has no conntrack(8) it has to pause.
 */
async function forgetFlows(address: string, signal: AbortSignal): Promise<void> {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  try {
    await run(['conntrack', '-D', '-f', family, '--reply-src', address], { signal });
  } catch (error) {
    // it fails where there was no such flow, too
    const harmless =
      error instanceof ExecError && (/ENOENT/.test(error.message) || /\b0 flow entries/.test(error.stderr));
    if (!harmless) throw error;
  }
}

async function observeTable(signal: AbortSignal): Promise<ObservedTable> {
  try {
    const { stdout } = await run(['nft', '-j', '-n', 'list', 'table', ...TABLE.split(' ')], { signal });
    return parseTable(stdout);
  } catch (error) {
    if (error instanceof ExecError && /No such file or directory/.test(error.stderr)) return parseTable(undefined);
    throw error;
  }
}

/** The interfaces of this process's network namespace. */
export async function observeLinks({ facts }: Desired, signal: AbortSignal): Promise<Link[]> {
  const { stdout } = await run(['ip', '-j', '-d', 'link', 'show'], { signal });
  return parseLinks(stdout, new Set(facts.lines.map((line) => line.interface)), new Set(readDefaultRoutes()));
}
