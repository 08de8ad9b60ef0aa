/** Whether a sliver may have what it asks for: its privileges and its ports decide, nothing else. */
import { portKey } from '../../crds/rspec.ts';
import type { RspecPort } from '../../crds/types.ts';
import type { Sliver } from '../sliver.ts';
import { type Opened, Refusal, type SocketRequest, type Wanted } from './request.ts';

type Holder = Pick<Sliver, 'amounts' | 'standing'>;

/** The request with every `any` replaced by a port of the sliver's. Throws Refusal EPERM where it has no right to it. */
export function planOpen(request: SocketRequest, sliver: Holder): Opened {
  if (sliver.standing !== 'entitled') throw new Refusal('EPERM', 'this sliver has no right on this node now');
  const privilege = request.open === 'audit' ? 'Audit' : 'RawSockets';
  if (!sliver.amounts.privileges.includes(privilege)) {
    throw new Refusal('EPERM', `this slice has not the privilege ${privilege}: ask for it in resources.privileges`);
  }
  if (request.open === 'audit') return request;
  if (request.open !== 'icmp') return { ...request, port: owned(sliver, request.protocol, request.port) };
  const { errorsOf, identifier } = request;
  return {
    ...request,
    ...(identifier !== undefined && { identifier: owned(sliver, 'icmp', identifier) }),
    ...(errorsOf && { errorsOf: { ...errorsOf, port: owned(sliver, errorsOf.protocol, errorsOf.port) } }),
  };
}

/** Whether something that was opened may go on: with what the sliver holds now it would be opened again. */
export function mayKeep(opened: Opened, sliver: Holder | undefined): boolean {
  if (!sliver) return false;
  try {
    planOpen(opened, sliver);
    return true;
  } catch {
    return false;
  }
}

/** The TCP and UDP ports that a sliver had a right to, and has not any more. */
export function planLost(before: Sliver, after: Sliver | undefined): { protocol: 'tcp' | 'udp'; port: number }[] {
  const portsOf = (sliver: Sliver | undefined): RspecPort[] =>
    sliver?.standing === 'entitled' ? sliver.amounts.ports : [];
  const kept = new Set(portsOf(after).map(portKey));
  return portsOf(before)
    .filter((port) => !kept.has(portKey(port)) && port.protocol !== 'ICMP')
    .map(({ protocol, port }) => ({ protocol: protocol === 'TCP' ? 'tcp' : 'udp', port }));
}

function owned(sliver: Holder, protocol: 'tcp' | 'udp' | 'icmp', wanted: Wanted): number {
  const name = protocol.toUpperCase() as RspecPort['protocol'];
  const ports = sliver.amounts.ports.filter((one) => one.protocol === name).map(({ port }) => port);
  const found = wanted === 'any' ? Math.min(...ports) : wanted;
  if (ports.includes(found)) return found;
  const what = protocol === 'icmp' ? 'ICMP identifier' : `${name} port`;
  const asked = wanted === 'any' ? `no ${what} belongs` : `${what} ${wanted} does not belong`;
  throw new Refusal('EPERM', `${asked} to this slice here: ask for it in resources.ports`);
}
