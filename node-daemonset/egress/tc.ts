/** Speaks tc: parses what it shows (text, since iproute2 6.1 prints no JSON for classes) and renders its batch lines. */
import { MARK_R2Q, classIdText, isInterfaceName, parseClassId } from './names.ts';
import type { HtbClass, Leaf } from './tree.ts';

/** A class as the kernel has it. `leaf` is undefined where its queue is none of ours. */
export type ObservedClass = HtbClass;

/** What a class has sent, at layer 2. */
export interface ClassCounters {
  bytes: number;
  packets: number;
  /** Packets. */
  drops: number;
  /** Bytes that wait. */
  backlog: number;
}

export interface ObservedLine {
  root: 'ours' | 'default' | 'foreign';
  /** Kind of the root qdisc, for messages. */
  rootKind: string;
  classes: Map<number, ObservedClass>;
  counters: Map<number, ClassCounters>;
}

interface QdiscJson {
  kind: string;
  handle: string;
  dev: string;
  root?: boolean;
  parent?: string;
  options?: { r2q?: number; default?: string; rate?: number; limit?: number };
}

/** `tc -j -r qdisc show`: every interface with its root, and the queues below our classes. */
export function parseQdiscs(
  json: string,
): Map<string, Pick<ObservedLine, 'root' | 'rootKind'> & { leaves: Map<number, Leaf> }> {
  const lines: ReturnType<typeof parseQdiscs> = new Map();
  const qdiscs = (JSON.parse(json) as QdiscJson[]).filter((qdisc) => typeof qdisc.dev === 'string');
  for (const qdisc of qdiscs.filter((candidate) => candidate.root)) {
    const ours = qdisc.kind === 'htb' && qdisc.handle === '1:' && qdisc.options?.r2q === MARK_R2Q;
    // Only what the kernel attached of itself has handle 0: deleting ours brings it back.
    const root = ours ? 'ours' : qdisc.handle === '0:' ? 'default' : 'foreign';
    lines.set(qdisc.dev, { root, rootKind: qdisc.kind, leaves: new Map() });
  }
  for (const { dev, kind, parent, options } of qdiscs) {
    const line = lines.get(dev);
    const minor = parent === undefined ? undefined : parseClassId(parent);
    if (!line || minor === undefined || options?.limit === undefined) continue;
    if (kind === 'tbf') line.leaves.set(minor, { kind, rate: (options.rate ?? 0) * 8, limit: options.limit });
    if (kind === 'bfifo') line.leaves.set(minor, { kind, limit: options.limit });
  }
  return lines;
}

/** `tc -s -d class show dev X`: HTB classes and their counters; classes of other qdiscs are passed over. */
export function parseClasses(
  text: string,
  leaves: ReadonlyMap<number, Leaf>,
): Pick<ObservedLine, 'classes' | 'counters'> {
  const classes = new Map<number, ObservedClass>();
  const counters = new Map<number, ClassCounters>();
  let minor: number | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('class ')) {
      minor = undefined;
      const match = /^class htb (\S+) (root|parent (\S+)) .*?\brate (\S+) ceil (\S+) /.exec(line);
      if (!match) continue;
      minor = parseClassId(match[1]!);
      if (minor === undefined) continue;
      const quantum = /\bquantum (\d+)\b/.exec(line)?.[1];
      classes.set(minor, {
        minor,
        parent: match[3] === undefined ? 0 : (parseClassId(match[3]) ?? -1),
        rate: parseRate(match[4]!),
        ceil: parseRate(match[5]!),
        quantum: quantum === undefined ? undefined : Number(quantum),
        leaf: leaves.get(minor),
      });
      counters.set(minor, { bytes: 0, packets: 0, drops: 0, backlog: 0 });
    } else if (minor !== undefined) {
      const counter = counters.get(minor)!;
      const sent = /^ Sent (\d+) bytes (\d+) pkt \(dropped (\d+),/.exec(line);
      if (sent) [counter.bytes, counter.packets, counter.drops] = [Number(sent[1]), Number(sent[2]), Number(sent[3])];
      const backlog = /^ backlog (\S+)b /.exec(line)?.[1];
      if (backlog !== undefined) counter.backlog = parseSize(backlog);
    }
  }
  return { classes, counters };
}

/** bits/s of a rate as tc prints it, such as `12345Kbit`. */
export function parseRate(text: string): number {
  const match = /^(\d+)([KMGT]?)bit$/.exec(text);
  if (!match) throw new Error(`tc showed the rate ${JSON.stringify(text)}, which is not understood`);
  return Number(match[1]) * 1000 ** ' KMGT'.indexOf(match[2] || ' ');
}

export function rootLine(dev: string): string {
  return `qdisc add dev ${checked(dev)} root handle 1: htb default 2 r2q ${MARK_R2Q}`;
}

export function removeRootLine(dev: string): string {
  return `qdisc del dev ${checked(dev)} root`;
}

/** Adds a class or changes it in place; a change keeps its queue. */
export function classLine(dev: string, { minor, parent, rate, ceil, quantum }: HtbClass): string {
  const above = parent === 0 ? '1:' : classIdText(parent);
  const turn = quantum === undefined ? '' : ` quantum ${whole(quantum)}`;
  const least = quantum === undefined ? 15_000 : 1600;
  const rates = `rate ${whole(rate)}bit ceil ${whole(ceil)}bit burst ${burst(rate, least)} cburst ${burst(ceil, least)}`;
  return `class replace dev ${checked(dev)} parent ${above} classid ${classIdText(minor)} htb ${rates}${turn}`;
}

export function removeClassLine(dev: string, minor: number): string {
  return `class del dev ${checked(dev)} classid ${classIdText(minor)}`;
}

/** The queue below a class. Its handle is the class's minor, so that the same line again changes it in place. */
export function leafLine(dev: string, minor: number, leaf: Leaf): string {
  const at = `qdisc replace dev ${checked(dev)} parent ${classIdText(minor)} handle ${minor.toString(16)}:`;
  if (leaf.kind === 'bfifo') return `${at} bfifo limit ${whole(leaf.limit)}`;
  return `${at} tbf rate ${whole(leaf.rate)}bit burst 4000 limit ${whole(leaf.limit)}`;
}

/** Line numbers, from 0, and causes of what `tc -force -batch -` could not do. */
export function parseBatchErrors(stderr: string): { line: number; message: string }[] {
  const errors: { line: number; message: string }[] = [];
  let message = '';
  for (const line of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)/.exec(line);
    if (failed) {
      errors.push({ line: Number(failed[1]) - 1, message: message || 'refused' });
      message = '';
    } else if (line.trim()) message = line.trim();
  }
  return errors;
}

/** At least what a line sends in 150 us, by which timers may be late: with less, fast classes would lose their rate. */
function burst(rate: number, least: number): number {
  return Math.max(least, Math.ceil((rate / 8) * 150e-6));
}

/** tc prints 1024 bytes as 1Kb. */
function parseSize(text: string): number {
  const match = /^([\d.]+)([KM]?)$/.exec(text);
  return match ? Number(match[1]) * 1024 ** ' KM'.indexOf(match[2] || ' ') : 0;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${value} is no whole number for tc`);
  return String(value);
}

function checked(dev: string): string {
  if (!isInterfaceName(dev)) throw new Error(`${JSON.stringify(dev)} is no interface name for tc`);
  return dev;
}
