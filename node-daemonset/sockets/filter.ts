/**
 * Classic BPF programs: which packets a socket of ours lets its holder see. They are locked onto the socket before it is
 * passed, and hold without any program of the node manager's in the kernel. Offsets are those of the kernel: a raw IPv4
 * socket and a packet socket see the packet from its IP header on, a raw IPv6 socket from its transport header on.
 */
import type { Opened } from './request.ts';

/** An instruction: code, operand, and where conditional jumps go (default: the next). A bare string is a label. */
type Line = string | readonly [op: keyof typeof CODES, k: number, yes?: string, no?: string];

const CODES = {
  loadByte: 0x30,
  loadHalf: 0x28,
  /** relative to X */
  loadByteX: 0x50,
  loadHalfX: 0x48,
  /** X = length of the IPv4 header at k */
  headerLengthToX: 0xb1,
  and: 0x54,
  shiftLeft: 0x64,
  addX: 0x0c,
  toX: 0x07,
  setX: 0x01,
  ifEqual: 0x15,
  ifSet: 0x45,
  jump: 0x05,
  accept: 0x06,
} as const;

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
/** Ancillary data of the kernel, addressed as negative offsets. */
const AD_PROTOCOL = 0xfffff000;
const AD_PACKET_TYPE = 0xfffff004;
const PACKET_HOST = 0;
const PACKET_OUTGOING = 4;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;
const FRAGMENT_OFFSET = 0x1fff;
const IPV6_HEADER = 40;
const ALL = 0xffffffff;
/** What a sniffer keeps of a packet: an IPv6 header, a full TCP header and some more. */
export const SNAP = 128;

export const NUMBER_OF = { tcp: TCP, udp: UDP } as const;

/** The filter of a raw socket as `struct sock_filter[]`. */
export function receiveFilter(opened: Extract<Opened, { open: 'raw' | 'icmp' }>): Buffer {
  const v4 = opened.family === 4;
  const start: Line[] = v4 ? [['headerLengthToX', 0]] : [['setX', 0]];
  if (opened.open === 'raw') {
    return assemble([...start, ['loadHalfX', 2], ['ifEqual', Number(opened.port), 'take', 'drop'], ...ends(ALL)]);
  }
  const { identifier, errorsOf } = opened;
  const reply: Line[] = [
    ['ifEqual', v4 ? 0 : 129, undefined, 'error?'],
    ...(identifier === undefined ? [jumpTo('drop')] : sameHalf(4, Number(identifier))),
  ];
  const errors = v4 ? [3, 11, 12] : [1, 2, 3, 4];
  return assemble([
    ...start,
    ['loadByteX', 0],
    ...reply,
    'error?',
    ...errors.map((type): Line => ['ifEqual', type, 'quoted']),
    jumpTo('drop'),
    // the packet that the error is about begins 8 bytes on
    'quoted',
    ['loadByteX', v4 ? 8 + 9 : 8 + 6],
    ...(identifier === undefined ? [] : ([['ifEqual', v4 ? ICMP : ICMPV6, 'its echo']] as Line[])),
    ...(errorsOf ? ([['ifEqual', NUMBER_OF[errorsOf.protocol], 'its segment']] as Line[]) : []),
    jumpTo('drop'),
    ...(identifier === undefined ? [] : ['its echo', ...quotedHeader(v4), ...sameHalf(8 + 4, Number(identifier))]),
    ...(errorsOf ? ['its segment', ...quotedHeader(v4), ...sameHalf(8, Number(errorsOf.port))] : []),
    ...ends(ALL),
  ]);
}

/** The filter of a packet socket: what is sent from the port and received for it. */
export function snifferFilter(protocol: 'tcp' | 'udp', port: number): Buffer {
  return assemble([
    ['loadHalf', AD_PROTOCOL],
    ['ifEqual', ETH_IPV4, 'v4'],
    ['ifEqual', ETH_IPV6, undefined, 'drop'],
    ['loadByte', 6],
    ['ifEqual', NUMBER_OF[protocol], undefined, 'drop'],
    ['setX', IPV6_HEADER],
    jumpTo('ports'),
    'v4',
    ['loadByte', 9],
    ['ifEqual', NUMBER_OF[protocol], undefined, 'drop'],
    ['loadHalf', 6],
    ['ifSet', FRAGMENT_OFFSET, 'drop'],
    ['headerLengthToX', 0],
    'ports',
    ['loadByte', AD_PACKET_TYPE],
    ['ifEqual', PACKET_OUTGOING, 'sent'],
    ['ifEqual', PACKET_HOST, undefined, 'drop'],
    ...sameHalf(2, port),
    'sent',
    ...sameHalf(0, port),
    ...ends(SNAP),
  ]);
}

const ends = (keep: number): Line[] => ['drop', ['accept', 0], 'take', ['accept', keep]];

const jumpTo = (label: string): Line => ['jump', 0, label];

function sameHalf(offset: number, value: number): Line[] {
  return [
    ['loadHalfX', offset],
    ['ifEqual', value, 'take', 'drop'],
  ];
}

/** X += length of the quoted packet's IP header. */
function quotedHeader(v4: boolean): Line[] {
  if (!v4) return [['setX', IPV6_HEADER]];
  return [
    ['loadByteX', 8],
    ['and', 0xf],
    ['shiftLeft', 2],
    ['addX', 0],
    ['toX', 0],
  ];
}

function assemble(lines: readonly Line[]): Buffer {
  const labels = new Map<string, number>();
  const code: Exclude<Line, string>[] = [];
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, code.length);
    else code.push(line);
  }
  const program = Buffer.alloc(code.length * 8);
  for (const [i, [op, k, yes, no]] of code.entries()) {
    const to = (label: string | undefined): number => (label === undefined ? 0 : labels.get(label)! - i - 1);
    program.writeUInt16LE(CODES[op], i * 8);
    if (op !== 'jump') program.set([to(yes), to(no)], i * 8 + 2);
    program.writeUInt32LE(op === 'jump' ? to(yes) : k, i * 8 + 4);
  }
  return program;
}
