/** Slivers as the tests of the guard have them. */
import type { Amounts } from '../../crds/rspec.ts';
import type { RspecPort } from '../../crds/types.ts';
import type { Sliver } from '../../node-daemonset/sliver.ts';
import { makeSliver } from '../node-daemonset/desired.ts';

export const tcp = (port: number): RspecPort => ({ protocol: 'TCP', port });
export const udp = (port: number): RspecPort => ({ protocol: 'UDP', port });
export const icmp = (port: number): RspecPort => ({ protocol: 'ICMP', port });

/** On the node's network; its class is 0x100 and its number. */
export function hostSliver(
  id: string,
  number: number,
  given: Partial<Amounts> = {},
  rest: Partial<Sliver> = {},
): Sliver {
  return makeSliver(id, given, { number, classId: 0x100 + number, network: 'Host', ...rest });
}

/** With addresses of its own. */
export function podSliver(id: string, number: number, addresses: string[], given: Partial<Amounts> = {}): Sliver {
  return makeSliver(id, given, { number, classId: 0x100 + number, addresses });
}
