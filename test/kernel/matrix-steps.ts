/** How a cell of the matrix is tried: commands for the processes of programs/peer.c. */
import type { Cell } from './matrix-cells.ts';
import { icmpEcho, ipv4Packet, ipv6Packet, tcpHeader, udpHeader } from './packets.ts';

export const NODE = { 4: '10.77.0.1', 6: 'fd77::1' } as const;
const WORLD = { 4: '10.77.0.2', 6: 'fd77::2' } as const;
const NOBODYS = { 4: '203.0.113.9', 6: '2001:db8::bad' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
const PROTOCOL = { TCP: [6, 6], UDP: [17, 17], ICMP: [1, 58] } as const;

/** What makes the socket, and what is tried with it: by another process where it is passed. */
export interface Steps {
  make: string[];
  act: string[];
}

/** One address and port of the far end takes but one connection from a port. */
export const LISTENERS = [9000, 9001] as const;

type Protocol = keyof typeof PROTOCOL;

const protocolOf = ({ kind }: Cell): Protocol => kind.replace('raw ', '') as Protocol;
const numberOf = (cell: Cell): number => PROTOCOL[protocolOf(cell)][cell.family === 4 ? 0 : 1];
const tagOf = ({ number }: Cell): string => `c0de${number.toString(16).padStart(4, '0')}c0de`;

/** `port`: what the cell is about. `socket`: where the sliver of the cell's place asks for raw sockets. */
export function stepsOf(cell: Cell, port: number, socket: string): Steps {
  if (cell.kind.startsWith('raw')) return stepsOfRaw(cell, port, socket);
  const { act, family, means } = cell;
  const make = createdBy(cell);
  const isForeign = means === 'FREEBIND';
  const at = isForeign ? NOBODYS[family] : ANY[family];
  const bindForeign = isForeign ? [`bind ${at} 0`] : [];
  if (act === 'bind') return { make, act: [`bind ${at} ${port}`, 'close'] };
  if (act === 'autobind') return { make, act: [...bindForeign, ...firstPacket(cell), 'close'] };
  if (act === 'connect') return { make, act: [...bindForeign, `connect ${NODE[family]} ${port}`, 'close'] };
  const { before, steps } = bindThere(cell, port);
  return { make: before, act: [...steps, 'close'] };
}

function createdBy({ kind, family, means, ...cell }: Cell): string[] {
  const protocol = numberOf({ kind, family, means, ...cell });
  const socket = `socket ${family} ${kind === 'TCP' ? 'stream' : 'dgram'} ${protocol}`;
  const frees = means === 'FREEBIND' || means === 'PKTINFO';
  return ['use 0', socket, ...(frees ? [`option freebind${family} 1`] : [])];
}

/** A bound socket, connected where it is TCP's; and then what it sends. */
export function bindThere(cell: Cell, port: number): { before: string[]; steps: string[] } {
  const { kind, family, means, place } = cell;
  // sockets that wait for their port to be somebody else's, and the node's own server, which comes then
  const reuse = place === 'host' ? ['option reuseaddr 1'] : [];
  const abort = kind === 'TCP' ? ['option linger 0'] : [];
  const at = means === 'FREEBIND' ? NOBODYS[family] : ANY[family];
  const bound = [...createdBy(cell), ...reuse, ...abort, `bind ${at} ${port}`];
  if (kind !== 'TCP') return { before: bound, steps: firstPacket(cell) };
  return {
    before: [...bound, `connect ${WORLD[family]} ${LISTENERS[means === 'passed' ? 1 : 0]}`],
    steps: [`send ${tagOf(cell)}`],
  };
}

/** Out into the world. */
function firstPacket(cell: Cell): string[] {
  const { kind, family, means, number } = cell;
  const to = WORLD[family];
  if (kind === 'TCP') return [`connect ${to} ${20_000 + number}`];
  const tag = tagOf(cell);
  const data = kind === 'ICMP' ? icmpEcho(family === 4 ? 8 : 128, 0, 1, tag) : tag;
  if (means === 'PKTINFO') return [`sendfrom ${NOBODYS[family]} ${to} 9 ${data}`];
  if (means === 'UDP_SEGMENT') return ['option segment 500', `sendto ${to} 9 ${tag.padEnd(2400, '0')}`];
  return [`sendto ${to} ${kind === 'ICMP' ? 0 : 9} ${data}`];
}

/** Raw sockets that send are kept, one for each protocol: more than some requests a second would wait. */
function stepsOfRaw(cell: Cell, port: number, socket: string): Steps {
  const { family, act, place, means } = cell;
  if (place === 'ordinary') return { make: ['use 0', `socket ${family} raw ${numberOf(cell)}`], act: [] };
  if (act !== 'send')
    return { make: ['use 0'], act: [requestOf(cell, act === 'autobind' ? 'any' : port, socket), 'close'] };
  const included = means.endsWith('HDRINCL');
  const frees = means === 'FREEBIND' || means === 'PKTINFO';
  const at = means === 'FREEBIND' ? NOBODYS[family] : ANY[family];
  const options = [`option hdrincl${family} ${Number(included)}`, `option freebind${family} ${Number(frees)}`];
  const packet = rawPacket(cell, port);
  const send =
    means === 'PKTINFO'
      ? `sendfrom ${NOBODYS[family]} ${WORLD[family]} 0 ${packet}`
      : `sendto ${WORLD[family]} 0 ${packet}`;
  return { make: [`use ${slotOf(cell)}`, ...options, `bind ${at} 0`], act: [send] };
}

function requestOf(cell: Cell, port: number | 'any', socket: string): string {
  const { family } = cell;
  const protocol = protocolOf(cell);
  const request =
    protocol === 'ICMP'
      ? { open: 'icmp', family, identifier: port }
      : { open: 'raw', protocol: protocol.toLowerCase(), family, port, headerIncluded: false };
  return `open ${socket} ${JSON.stringify(request)}`;
}

function rawPacket(cell: Cell, port: number): string {
  const { family, means } = cell;
  const tag = tagOf(cell);
  const payload = {
    TCP: () => `${tcpHeader(port, 9)}${tag}`,
    UDP: () => udpHeader(port, 9, tag),
    ICMP: () => icmpEcho(family === 4 ? 8 : 128, port, 1, tag),
  }[protocolOf(cell)]();
  if (!means.endsWith('HDRINCL')) return payload;
  const from = (means === 'HDRINCL' ? NODE : NOBODYS)[family];
  return (family === 4 ? ipv4Packet : ipv6Packet)(from, WORLD[family], numberOf(cell), payload);
}

/** Where a process keeps the raw socket that it sends by, opened before. */
const slotOf = ({ kind, family }: Cell): number => 200 + 10 * ['raw TCP', 'raw UDP', 'raw ICMP'].indexOf(kind) + family;

/** Opens the raw sockets that a sliver sends by. */
export function rawSockets(cells: readonly Cell[], portOf: (cell: Cell) => number, socket: string): string[] {
  const sending = new Map(cells.map((cell) => [slotOf(cell), cell]));
  return [...sending].map(
    ([slot, cell]) => `use ${slot};${requestOf(cell, portOf({ ...cell, owner: 'own' }), socket)}`,
  );
}
