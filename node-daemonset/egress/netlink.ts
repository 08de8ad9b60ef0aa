/**
 * The counters of our classes by rtnetlink: what `tc -s class show` has, in one dump for each of our lines and without a
 * process (rtnetlink(7), linux/pkt_sched.h, linux/gen_stats.h; all numbers in the machine's order).
 */
import { AF_NETLINK, closeSocket, interfaceName, openSocket, receive, sendWith, SOCK_RAW } from '../sockets/libc.ts';
import { MAJOR, MARK_R2Q } from './names.ts';
import type { ClassCounters } from './tc.ts';

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_GETQDISC = 38;
const RTM_GETTCLASS = 42;
/** NLM_F_REQUEST | NLM_F_DUMP */
const DUMP = 0x301;
const HEADER = 16;
/** `struct tcmsg` after the header */
const TC = 20;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_STATS2 = 7;
const TCA_HTB_INIT = 2;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;
const TCA_STATS_PKT64 = 8;
const TC_H_ROOT = 0xffff_ffff;

/** By the name of each interface whose root is ours: the counters of its classes by HTB minor. Throws where the kernel does not answer. */
export function readClassCounters(): Map<string, Map<number, ClassCounters>> {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, 0);
  try {
    const lines = new Map<string, Map<number, ClassCounters>>();
    const ours: number[] = [];
    dump(fd, RTM_GETQDISC, 0, (message) => {
      if (isOurRoot(message)) ours.push(message.readInt32LE(HEADER + 4));
    });
    for (const index of ours) {
      const classes = new Map<number, ClassCounters>();
      dump(fd, RTM_GETTCLASS, index, (message) => {
        const handle = message.readUInt32LE(HEADER + 8);
        if (handle >>> 16 === MAJOR && kindOf(message) === 'htb') classes.set(handle & 0xffff, countersOf(message));
      });
      const name = interfaceName(index);
      if (name !== undefined) lines.set(name, classes);
    }
    return lines;
  } finally {
    closeSocket(fd);
  }
}

/** One dump: the kernel makes the next part of it when the last was read, so nothing here waits for anybody. */
function dump(fd: number, type: number, index: number, take: (message: Buffer) => void): void {
  const request = Buffer.alloc(HEADER + TC);
  request.writeUInt32LE(request.length, 0);
  request.writeUInt16LE(type, 4);
  request.writeUInt16LE(DUMP, 6);
  request.writeInt32LE(index, HEADER + 4);
  if (!sendWith(fd, request, undefined)) throw new Error('rtnetlink takes no questions');
  const buffer = Buffer.allocUnsafe(64 * 1024);
  for (;;) {
    const length = receive(fd, buffer);
    if (length < HEADER) throw new Error('rtnetlink did not answer to the end');
    for (let at = 0; at + HEADER <= length;) {
      const size = buffer.readUInt32LE(at);
      if (size < HEADER || at + size > length) throw new Error('rtnetlink answered what is no message');
      const message = buffer.subarray(at, at + size);
      const is = message.readUInt16LE(4);
      if (is === NLMSG_DONE) return;
      if (is === NLMSG_ERROR) throw new Error(`rtnetlink refused with errno ${-message.readInt32LE(HEADER)}`);
      if (size >= HEADER + TC) take(message);
      at += aligned(size);
    }
  }
}

function isOurRoot(message: Buffer): boolean {
  const isRoot = message.readUInt32LE(HEADER + 12) === TC_H_ROOT;
  if (!isRoot || message.readUInt32LE(HEADER + 8) >>> 16 !== MAJOR || kindOf(message) !== 'htb') return false;
  const options = attribute(message, TCA_OPTIONS, HEADER + TC);
  const init = options && attribute(options, TCA_HTB_INIT);
  return init?.readUInt32LE(4) === MARK_R2Q;
}

function kindOf(message: Buffer): string | undefined {
  return attribute(message, TCA_KIND, HEADER + TC)
    ?.toString('latin1')
    .replace(/\0.*$/s, '');
}

function countersOf(message: Buffer): ClassCounters {
  const stats = attribute(message, TCA_STATS2, HEADER + TC);
  const basic = stats && attribute(stats, TCA_STATS_BASIC);
  const queue = stats && attribute(stats, TCA_STATS_QUEUE);
  const packets = stats && attribute(stats, TCA_STATS_PKT64);
  return {
    bytes: basic ? Number(basic.readBigUInt64LE(0)) : 0,
    packets: packets ? Number(packets.readBigUInt64LE(0)) : (basic?.readUInt32LE(8) ?? 0),
    drops: queue?.readUInt32LE(8) ?? 0,
    backlog: queue?.readUInt32LE(4) ?? 0,
  };
}

/** The content of the first attribute of a type; the upper bits of a type are flags. */
function attribute(bytes: Buffer, type: number, from = 0): Buffer | undefined {
  for (let at = from; at + 4 <= bytes.length;) {
    const size = bytes.readUInt16LE(at);
    if (size < 4 || at + size > bytes.length) return undefined;
    if ((bytes.readUInt16LE(at + 2) & 0x3fff) === type) return bytes.subarray(at + 4, at + size);
    at += aligned(size);
  }
  return undefined;
}

function aligned(size: number): number {
  return (size + 3) & ~3;
}
