/** Pure: the node's bound sockets, as /proc/net shows them. Identifiers of ping sockets are in the same form. */
import type { RspecPort } from '../../crds/types.ts';

/** A socket that has a port, whatever address it is bound to. */
export interface BoundSocket extends RspecPort {
  /** 0: the kernel's own. */
  inode: number;
}

/** The files of /proc/net in which sockets of a protocol are listed. */
export const SOCKET_FILES: readonly [string, RspecPort['protocol']][] = [
  ['tcp', 'TCP'],
  ['tcp6', 'TCP'],
  ['udp', 'UDP'],
  ['udp6', 'UDP'],
  ['icmp', 'ICMP'],
  ['icmp6', 'ICMP'],
];

const TCP_LISTEN = '0A';

/**
 * The sockets of one file that have one of these ports. A TCP socket that no process has any more (TIME_WAIT and the
 * like) holds nothing. One that is bound and neither listens nor is connected is in no file: its next step fails, as the
 * port is somebody else's by then.
 */
export function parseSockets(
  text: string,
  protocol: RspecPort['protocol'],
  wanted: ReadonlySet<number>,
): BoundSocket[] {
  const found: BoundSocket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const port = parseInt(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(line)?.[1] ?? '', 16);
    if (!wanted.has(port)) continue;
    const fields = line.trim().split(/\s+/);
    const inode = Number(fields[9]);
    if (protocol === 'TCP' && inode === 0 && fields[3] !== TCP_LISTEN) continue;
    found.push({ protocol, port, inode });
  }
  return found;
}
