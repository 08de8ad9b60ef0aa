/**
 * Which of the node's interfaces leads to a pod, as the node's own kernel says: what a pod says of itself is no proof, for
 * whoever may make a network namespace may give it any address.
 */
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { isInterfaceName } from '../egress/names.ts';
import { run } from '../exec.ts';

/** By which interfaces the node gets what a pod sends (of a bridge, itself and the port), and which addresses are its own there. */
export interface PodLinks {
  interfaces: string[];
  addresses: string[];
}

interface Link {
  ifname: string;
  link_netnsid?: number;
  master?: string;
}

interface Neighbour {
  dst: string;
  lladdr?: string;
}

interface Forwarding {
  mac: string;
  ifname: string;
}

/**
 * Looks from the node's namespace. A pod that has an interface of its own on the node is told by that interface, whatever
 * address it claims; where that is the port of a bridge, only the addresses count to which the bridge leads by that port.
 */
export async function findLinks(pid: number, claimed: readonly string[]): Promise<PodLinks | undefined> {
  const [namespaces, links] = await Promise.all([
    run(['lsns', '-J', '-t', 'net', '-o', 'NETNSID', '-p', String(pid)]),
    run(['ip', '-j', 'link', 'show']),
  ]);
  const devices = devicesOf(namespaces.stdout, links.stdout);
  if (devices.length === 0) return undefined;
  const bridges = [...new Set(devices.flatMap(({ master }) => (master && isBridge(master) ? [master] : [])))];
  const ports = devices.map(({ ifname }) => ifname);
  if (bridges.length === 0) return { interfaces: ports, addresses: [...claimed] };
  const proven = new Set<string>();
  for (const bridge of bridges) {
    for (const address of await provenOn(bridge, new Set(ports), claimed)) proven.add(address);
  }
  for (const address of claimed) if (!proven.has(address)) ask(address);
  return { interfaces: [...ports, ...bridges], addresses: claimed.filter((address) => proven.has(address)) };
}

/** The node's interfaces whose other end is in the process's network namespace, by the text of `lsns` and of `ip link`. */
export function devicesOf(namespaces: string, links: string): Link[] {
  const [own] = (JSON.parse(namespaces || '{}') as { namespaces?: { netnsid?: string | number }[] }).namespaces ?? [];
  const id = Number(own?.netnsid ?? NaN);
  if (!Number.isInteger(id)) return [];
  return (JSON.parse(links) as Link[]).filter(
    ({ ifname, link_netnsid }) => link_netnsid === id && isInterfaceName(ifname),
  );
}

/** The addresses whose neighbour on the bridge is behind one of these ports, by the text of `ip neigh` and `bridge fdb`. */
export function behindPorts(
  claimed: readonly string[],
  ports: ReadonlySet<string>,
  neighbours: string,
  forwarding: string,
): string[] {
  const portOf = new Map((JSON.parse(forwarding || '[]') as Forwarding[]).map(({ mac, ifname }) => [mac, ifname]));
  const macOf = new Map((JSON.parse(neighbours || '[]') as Neighbour[]).map(({ dst, lladdr }) => [dst, lladdr]));
  return claimed.filter((address) => ports.has(portOf.get(macOf.get(address) ?? '') ?? ''));
}

async function provenOn(bridge: string, ports: ReadonlySet<string>, claimed: readonly string[]): Promise<string[]> {
  const [neighbours, forwarding] = await Promise.all([
    run(['ip', '-j', 'neigh', 'show', 'dev', bridge]),
    run(['bridge', '-j', 'fdb', 'show', 'br', bridge]),
  ]);
  return behindPorts(claimed, ports, neighbours.stdout, forwarding.stdout);
}

/** Makes the node look its neighbour up: a packet to the discard port, of which nothing but that is expected. */
function ask(address: string): void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const close = (): void => {
    socket.removeAllListeners('error').on('error', () => undefined);
    socket.close();
  };
  socket.once('error', close);
  socket.send('', 9, address, close);
}

function isBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/bridge`);
}
