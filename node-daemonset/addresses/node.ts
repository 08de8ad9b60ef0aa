/**
 * Which addresses are the node's: by the interfaces that have them. A service proxy makes every service's address a local
 * one (kube-proxy in IPVS mode, node-local DNS), and a slice's port is not to be the services' port.
 */
import { readDefaultRoutes } from '../egress/observe.ts';
import { run } from '../exec.ts';
import { readOr } from '../processes.ts';
import type { Line } from '../sliver.ts';
import { parseFibTrie, parseIfInet6 } from './netns.ts';

/** Of both families, without loopback and link-local ones, sorted. */
export interface NodeAddresses {
  /** Of its lines: those of which its ports are. Where a line has none of a family, loopback's, as on routed hosts. */
  lines: string[];
  /** All that are the node's own, bridges' and tunnels' too, but for services': where it can be reached by slivers. */
  local: string[];
}

interface Interface {
  ifname: string;
  linkinfo?: { info_kind?: string };
  addr_info?: { local?: string }[];
}

/** Of this process's network namespace. `lines` as the owner names them. */
export async function observeNodeAddresses(
  lines: readonly Pick<Line, 'interface'>[],
  signal?: AbortSignal,
): Promise<NodeAddresses> {
  const { stdout } = await run(['ip', '-j', '-d', 'address', 'show'], signal && { signal });
  return nodeAddressesOf(stdout, new Set(lines.length > 0 ? lines.map((line) => line.interface) : readDefaultRoutes()));
}

/** By the text of `ip -j -d address show`. Where none of the lines is there, all that is local is the node's. */
export function nodeAddressesOf(json: string, lines: ReadonlySet<string>): NodeAddresses {
  const interfaces = JSON.parse(json) as Interface[];
  const named = interfaces.filter(({ ifname }) => lines.has(ifname));
  const local = addressesOf(interfaces.filter((one) => lines.has(one.ifname) || one.linkinfo?.info_kind !== 'dummy'));
  if (named.length === 0) return { lines: local, local };
  const ofLines = addressesOf(named);
  const ofLoopback = addressesOf(interfaces.filter(({ ifname }) => ifname === 'lo'));
  const missing = [isV6, isV4].filter((isOfFamily) => !ofLines.some(isOfFamily));
  const added = ofLoopback.filter((address) => missing.some((isOfFamily) => isOfFamily(address)));
  return { lines: [...ofLines, ...added].sort(), local };
}

/** Changes with every address of this namespace, whosoever it is; no process is started for it. */
export function readAddressesAsText(): string {
  const [v4, v6] = ['fib_trie', 'if_inet6'].map((name) => readOr(`/proc/self/net/${name}`, ''));
  return [...parseFibTrie(v4!), ...parseIfInet6(v6!)].join();
}

function addressesOf(interfaces: readonly Interface[]): string[] {
  const all = interfaces.flatMap(({ addr_info: info = [] }) => info.flatMap(({ local }) => local ?? []));
  return [...new Set(all)].filter((address) => !/^(127\.|169\.254\.|::1$|fe[89ab])/.test(address)).sort();
}

function isV6(address: string): boolean {
  return address.includes(':');
}

function isV4(address: string): boolean {
  return !isV6(address);
}
