/** A node manager whose enforcers and API server are tables in memory, and whose files are in a directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { getCondition } from '../../../crds/conditions.ts';
import type { ResourceCapability, ResourceCapabilityStatus, SliceNode, SliceNodeStatus } from '../../../crds/types.ts';
import { silentLog } from '../../../kube/log.ts';
import { PolicySource } from '../../../node-daemonset/admission/ownerfile.ts';
import { Turns } from '../../../node-daemonset/admission/turns.ts';
import { loadCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { NO_ORDERS, type Orders } from '../../../node-daemonset/owner/orders.ts';
import { type PassParts, type PassResult, runPass } from '../../../node-daemonset/pass.ts';
import { createNodeMetrics } from '../../../node-daemonset/report/metrics.ts';
import type { StatusReport } from '../../../node-daemonset/report/reporter.ts';
import { Statuses } from '../../../node-daemonset/report/statuses.ts';
import type { Desired, Enforcer, Problem } from '../../../node-daemonset/sliver.ts';
import { StateStore } from '../../../node-daemonset/state.ts';
import { NODE, NOW, pod } from '../rights.ts';

export class PassWorld {
  readonly directory = mkdtempSync(join(tmpdir(), 'pass-'));
  parts!: PassParts;
  /** What the API server says; undefined while it is out of reach. */
  rcaps: ResourceCapability[] | undefined;
  sliceNode: SliceNode | undefined;
  orders: Orders = NO_ORDERS;
  now = NOW;
  /** What the second enforcer was told, pass by pass, and what it answers. */
  desired: Desired[] = [];
  problems: Problem[] = [];
  /** The last of each, by uid; the node's own by its name. */
  readonly reports = new Map<string, StatusReport>();
  /** Decisions, as they are written down and told. */
  log: string[] = [];

  constructor() {
    this.restart();
  }

  /** The node manager starts anew: nothing is left but its files. */
  restart(): void {
    [this.rcaps, this.sliceNode, this.orders, this.now] = [[], sliceNode(), NO_ORDERS, NOW];
    [this.desired, this.problems, this.log] = [[], [], []];
    this.reports.clear();
    this.parts = this.#parts();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  change(parts: Partial<PassParts>): void {
    this.parts = { ...this.parts, ...parts };
  }

  /** Leaves the enforcer that always works. */
  dropBrokenEnforcer(): void {
    this.change({ enforcers: this.parts.enforcers.slice(1) });
  }

  /** As `runPass`. */
  pass(full: boolean): Promise<PassResult> {
    return runPass(this.parts, full);
  }

  /** The kubelet asks for the volume of a pod for the right. */
  publish(uid: string, rcap: ResourceCapability, change = {}): void {
    this.parts.store.set({ pods: [...this.parts.store.get().pods, pod(uid, rcap, change)] });
  }

  /** A sliver runs by the right, and nothing else does. */
  async start(rcap: ResourceCapability): Promise<void> {
    this.rcaps = [rcap];
    await this.pass(true);
    this.publish('p', rcap, { addresses: ['10.0.0.2'] });
    await this.pass(true);
  }

  /** What the right was told last. */
  statusOf(uid: string): ResourceCapabilityStatus {
    return this.reports.get(uid)!.status;
  }

  condition(uid: string, type: string): string {
    const { status, reason } = getCondition(this.statusOf(uid).conditions, type)!;
    return `${status} ${reason}`;
  }

  message(uid: string, type: string): string {
    return getCondition(this.statusOf(uid).conditions, type)!.message;
  }

  node(): SliceNodeStatus {
    return this.reports.get('node1')!.status;
  }

  nodeCondition(type: string) {
    return getCondition(this.node().conditions, type)!;
  }

  /** What was desired last. */
  last(): Desired {
    return this.desired.at(-1)!;
  }

  /** Of the first sliver. */
  standing(): string {
    return this.last().slivers[0]!.standing;
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  #parts(): PassParts {
    const path = this.path('checkpoint.json');
    return {
      nodeName: 'node1',
      store: new StateStore(path, loadCheckpoint(path, NOW).state),
      grantLog: {
        append: (decisions) => void this.log.push(...decisions.map(({ event, uid }) => `${event} ${uid}`)),
        owe: (decisions) => void this.log.push(...decisions.map(({ event, uid }) => `owes ${event} ${uid}`)),
      },
      announce: (decision) => void this.log.push(`tells ${decision.uid} ${decision.reason}`),
      turns: new Turns(() => this.now),
      policy: new PolicySource(this.path('policy.yaml')),
      orders: () => this.orders,
      rcaps: () => this.rcaps,
      sliceNode: () => this.sliceNode,
      otherRequests: () => 0,
      lineRate: () => undefined,
      heldPorts: async () => [],
      isGone: () => false,
      hasStarted: () => true,
      budgets: {
        apply: (slivers) => ({ slivers: [...slivers], verdicts: [], wakeAt: undefined }),
        save: () => undefined,
      },
      audit: { problems: () => [], page: () => undefined },
      enforcers: [
        enforcer('first', async () => {
          throw new Error('no tc');
        }),
        enforcer('second', async (desired) => {
          this.desired.push(desired);
          return { writes: 1, problems: this.problems };
        }),
      ],
      directories: { write: () => undefined, sweep: () => undefined },
      addresses: { update: () => undefined, recheck: () => undefined, bytesSent: () => 7 },
      statuses: new Statuses({ report: (key, report) => void this.reports.set(key, report), keep: () => undefined }),
      metrics: createNodeMetrics(new Registry()),
      onDesired: () => {},
      attributes: {},
      versions: { nodeManager: '1', kernel: '6' },
      log: silentLog(),
      now: () => this.now,
    };
  }
}

/** What an owner's SliceNode says. */
export function sliceNode(spec: SliceNode['spec'] = {}): SliceNode {
  const { uid, ...allocatable } = NODE;
  return {
    apiVersion: '',
    kind: 'SliceNode',
    metadata: { name: 'node1', uid: 'sln' },
    spec,
    status: { node: { uid, allocatable } },
  };
}

function enforcer(name: string, enforce: Enforcer['enforce']): Enforcer {
  return { name, enforce, release: async () => undefined };
}
