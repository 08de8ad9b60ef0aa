/** Drives the egress enforcer, or that of sources or connections, in another network namespace. */
import type { ClassCounters } from '../../node-daemonset/egress/tc.ts';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import type { Request } from './enforcer-process.ts';
import type { Namespaces } from './netns.ts';
import { Remote } from './remote.ts';

/** One process of the enforcer; `stop` and a new one are its restart. */
export class RemoteEnforcer {
  readonly #remote: Remote<Request>;

  constructor(
    namespaces: Namespaces,
    namespace: string,
    name: 'egress' | 'sources' | 'connections' = 'egress',
    ...args: string[]
  ) {
    this.#remote = new Remote(namespaces, namespace, 'enforcer-process.ts', name, ...args);
  }

  async enforce(desired: Desired): Promise<EnforcerReport> {
    return this.#remote.ask({ enforce: desired });
  }

  async release(): Promise<void> {
    await this.#remote.ask({ release: true });
  }

  /** As the last pass saw them, by HTB minor. */
  async counters(): Promise<Record<string, ClassCounters>> {
    return this.#remote.ask({ counters: true });
  }

  async stop(): Promise<void> {
    await this.#remote.stop();
  }
}
