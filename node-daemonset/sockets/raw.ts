/** Opens raw sockets in the node's network namespace, and restricts them before anybody else has them. */
import type { Kernel, RawGrant } from '../bpf/kernel.ts';
import { RAW_MARK } from '../bpf/layout.ts';
import { NUMBER_OF, receiveFilter } from './filter.ts';
import { AF_INET, AF_INET6, closeSocket, drain, lockFilter, openSocket, setOption, SOCK_RAW } from './libc.ts';
import { type Opened, Refusal } from './request.ts';

export type OpenedRaw = Extract<Opened, { open: 'raw' | 'icmp' }>;

const SOL_SOCKET = 1;
const SO_MARK = 36;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_HDRINCL = 3;
const IP_MULTICAST_LOOP = 34;
const IPV6_HDRINCL = 36;
const ICMP = 1;
const ICMPV6 = 58;

/** What the kernel's programs hold the socket to. */
export function planGrant(opened: OpenedRaw, sliver: number, generation: number): RawGrant {
  const { family } = opened;
  if (opened.open === 'raw') {
    return { sliver, generation, family, protocol: NUMBER_OF[opened.protocol], port: Number(opened.port) };
  }
  const { identifier, errorsOf } = opened;
  return {
    sliver,
    generation,
    family,
    protocol: family === 4 ? ICMP : ICMPV6,
    port: Number(identifier ?? 0),
    ...(errorsOf && { errorsOf: { protocol: NUMBER_OF[errorsOf.protocol], port: Number(errorsOf.port) } }),
  };
}

/**
 * A descriptor that may be passed to the sliver. It sends what its grant allows, by the program that judges each packet,
 * and sees no more, by a filter that its holder cannot take off. Throws Refusal EPERM where the kernel does not enforce the
 * sliver (yet).
 */
export function openRaw(opened: OpenedRaw, sliver: number, kernel: Pick<Kernel, 'rawGeneration' | 'markRaw'>): number {
  const generation = kernel.rawGeneration(sliver);
  if (generation === undefined) throw new Refusal('EPERM', 'this sliver may have no raw sockets now: try again');
  const grant = planGrant(opened, sliver, generation);
  const fd = openSocket(opened.family === 4 ? AF_INET : AF_INET6, SOCK_RAW, grant.protocol);
  try {
    // The node's own copies of what is sent to an IPv4 group come by no program; nobody can set this afterwards.
    if (opened.family === 4) setOption(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    setOption(fd, SOL_SOCKET, SO_MARK, RAW_MARK);
    kernel.markRaw(fd, grant);
    lockFilter(fd, receiveFilter(opened));
    // what came in between the two was not filtered
    drain(fd);
    if (opened.open === 'raw' && opened.headerIncluded) {
      if (opened.family === 4) setOption(fd, IPPROTO_IP, IP_HDRINCL, 1);
      else setOption(fd, IPPROTO_IPV6, IPV6_HDRINCL, 1);
    }
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}
