/**
 * The text of an archive file: JSON, one value a line, so that `zcat` and a few words of any language read it. An object
 * says who a number is from there on, an array is a flow. Pure.
 */
import type { Flow, Identity } from './flow.ts';

/** Raised when a line changes its meaning. */
const FORMAT = 1;

/** The first line of a file; its `columns` are for people, who may read it in years. */
export function headerLine(node: string, start: number): string {
  return `${JSON.stringify({ format: FORMAT, node, start: new Date(start).toISOString(), columns: COLUMNS })}\n`;
}

const COLUMNS =
  'sliver,first (ms),last (ms),source,destination,protocol,sourcePort,destinationPort,tcpFlags,packets,bytes';

export function identityLine(sliver: number, identity: Identity): string {
  return `${JSON.stringify({ sliver, ...identity })}\n`;
}

export function flowLine(flow: Flow): string {
  const { sliver, first, last, source, destination, protocol, sourcePort, destinationPort, tcpFlags } = flow;
  const ports = [protocol, sourcePort, destinationPort, tcpFlags];
  return `${JSON.stringify([sliver, first, last, source, destination, ...ports, flow.packets, flow.bytes])}\n`;
}

/** What one line says. */
export type Line = { flow: Flow } | { sliver: number; identity: Identity };

/** Undefined for a header, and for a line that makes no sense: a file may be torn. */
export function parseLine(text: string): Line | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (Array.isArray(value)) return parseFlow(value);
  const { sliver, namespace, slice, capability, contact } = (value ?? {}) as Partial<Identity & { sliver: number }>;
  if (!isCount(sliver) || ![namespace, slice, capability, contact].every((one) => typeof one === 'string')) {
    return undefined;
  }
  return { sliver, identity: { namespace, slice, capability, contact } as Identity };
}

function parseFlow(value: unknown[]): Line | undefined {
  const [sliver, first, last, source, destination, ...counts] = value;
  const [protocol, sourcePort, destinationPort, tcpFlags, packets, bytes] = counts;
  if (typeof source !== 'string' || typeof destination !== 'string') return undefined;
  if (counts.length !== 6 || ![sliver, first, last, ...counts].every(isCount)) return undefined;
  const numbers = { sliver, first, last, protocol, sourcePort, destinationPort, tcpFlags, packets, bytes };
  return { flow: { ...numbers, source, destination } as Flow };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
