/** The ports enforcer in a process of its own, on the node of a world of network namespaces. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RspecPort } from '../../crds/types.ts';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import { makeSliver } from '../node-daemonset/desired.ts';
import type { Request } from './ports-process.ts';
import { POD, PortsWorld } from './ports-world.ts';
import { Remote } from './remote.ts';

export const OWNED = 40_001;

export function udp(port: number): RspecPort {
  return { protocol: 'UDP', port };
}

/** The sliver of the world's pod, which owns these. */
export function sliver(change: Parameters<typeof makeSliver>[2] = {}, ports = [udp(OWNED)]) {
  return makeSliver('a', { ports, network: change.network ?? 'Pod' }, { addresses: Object.values(POD), ...change });
}

export class PortsEnforcer {
  readonly world = new PortsWorld();
  readonly #directory = mkdtempSync(join(tmpdir(), 'ports-'));
  #remote = this.#start();

  enforce(desired: Desired): Promise<EnforcerReport> {
    return this.#remote.ask<EnforcerReport>({ enforce: desired });
  }

  ask<T>(request: Request): Promise<T> {
    return this.#remote.ask<T>(request);
  }

  async restart(): Promise<void> {
    await this.#remote.stop();
    this.#remote = this.#start();
  }

  async remove(): Promise<void> {
    await this.world.net.remove();
    rmSync(this.#directory, { recursive: true });
  }

  ruleset(): string {
    return this.world.net.run('node', ['nft', 'list', 'ruleset']);
  }

  /** What the kernel keeps from being taken by chance. */
  reserved(): string {
    return this.world.net.run('node', ['cat', '/proc/sys/net/ipv4/ip_local_reserved_ports']).trim();
  }

  #start(): Remote<Request> {
    return new Remote<Request>(this.world.net, 'node', 'ports-process.ts', join(this.#directory, 'reserved.json'));
  }
}
