/**
 * What tests do to a cluster: kill and start every component by itself, switch nodes off and on, add and remove them.
 *
 *   await killComponent(cluster, 'kube-apiserver');            // etcd and its data stay
 *   await killComponent(cluster, 'kubelet', 'node1', 'SIGSTOP');
 *   await stopNode(cluster, 'node2');                          // a power cut; startNode boots from the same disk
 */
import { rmSync } from 'node:fs';
import { nodeDir, nodeNumber, type Cluster } from './config.ts';
import {
  CONTROL_COMPONENTS,
  controlRuns,
  killControl,
  kubectl,
  startControl,
  whenServing,
  type ControlComponent,
} from './controlplane.ts';
import { findInNode, joinNode, killInNode, nodeInit, nodeNames, powerOff, startInNode } from './node.ts';
import { NODE_COMPONENTS, type NodeComponent } from './nodefiles.ts';
import { bringUpNode } from './up.ts';

export type Component = ControlComponent | NodeComponent;

const isControl = (component: Component): component is ControlComponent =>
  (CONTROL_COMPONENTS as readonly string[]).includes(component);

function onNode(component: Component, node: string | undefined): string {
  if (node === undefined) throw new Error(`${component} runs on nodes: say on which`);
  return node;
}

/** Sends a signal. After SIGKILL and SIGTERM the component has ended when this resolves. */
export async function killComponent(
  cluster: Cluster,
  component: Component,
  node?: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (isControl(component)) await killControl(cluster, component, signal);
  else await killInNode(cluster, onNode(component, node), component, signal);
}

/** Starts a component that does not run; the API server is waited for until it serves. */
export async function startComponent(cluster: Cluster, component: Component, node?: string): Promise<void> {
  if (!isControl(component)) return startInNode(cluster, onNode(component, node), component);
  startControl(cluster, component);
  if (component === 'etcd' || component === 'kube-apiserver') await whenServing(cluster);
}

/** Switches a node off: all its processes and its kernel state are gone at once; its Node object and its disk stay. */
export const stopNode = (cluster: Cluster, node: string): Promise<void> => powerOff(cluster, node);

/** Switches a node on, a stopped one from the disk it had; resolves when it is Ready. */
export const startNode = (cluster: Cluster, node: string): Promise<void> => bringUpNode(cluster, node);

/** One more node, or one that had been removed. */
export async function addNode(cluster: Cluster, node: string): Promise<void> {
  nodeNumber(node);
  await startNode(cluster, node);
}

/** Takes a node out for good: off, its Node object deleted, its disk emptied. */
export async function removeNode(cluster: Cluster, node: string): Promise<void> {
  await powerOff(cluster, node);
  await kubectl(cluster, ['delete', 'node', node, '--ignore-not-found']);
  rmSync(nodeDir(cluster, node), { recursive: true, force: true });
}

/** Registers a node anew whose Node object was deleted while it ran: the kubelet does so only when it starts. */
export async function rejoinNode(cluster: Cluster, node: string): Promise<void> {
  await killInNode(cluster, node, 'kubelet', 'SIGTERM');
  await joinNode(cluster, node);
}

export interface ComponentState {
  component: Component;
  node?: string;
  running: boolean;
}

/** Every component that should run, and whether it does. */
export function componentStates(cluster: Cluster): ComponentState[] {
  return [
    ...CONTROL_COMPONENTS.map((component) => ({ component, running: controlRuns(cluster, component) })),
    ...nodeNames(cluster).flatMap((node) =>
      NODE_COMPONENTS.map((component) => ({
        component,
        node,
        running: nodeInit(cluster, node) !== undefined && findInNode(cluster, node, component) !== undefined,
      })),
    ),
  ];
}
