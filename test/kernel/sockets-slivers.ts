/** One sliver with raw sockets at ports of its own, an auditor, and one without any privilege. */
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';

const PORTS = [
  { protocol: 'TCP' as const, port: 5001 },
  { protocol: 'UDP' as const, port: 5001 },
  { protocol: 'ICMP' as const, port: 77 },
];

const slivers = () => [
  makeSliver('raw', { ports: PORTS, privileges: ['RawSockets'] }, { number: 7 }),
  makeSliver('auditor', { privileges: ['Audit'] }, { number: 9, classId: 0x109 }),
  makeSliver('plain', { ports: [{ protocol: 'TCP', port: 6001 }] }, { number: 8, classId: 0x108 }),
];

/** All three, and the line. */
export const desired = () => makeDesired(slivers(), { lines: [{ interface: 'upl0', rate: 1e9 }] });
