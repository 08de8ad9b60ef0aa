/** Answers questions from the record: flows added up over its segments, bounded in rows and in time. */
import { contains, parseAddress } from '../../crds/ipaddress.ts';
import { type FlowQuery, formatTime } from '../../crds/flowquery.ts';
import type { FlowAnswer, FlowKind, FlowOwner, FlowRow, PairAnswer, PairRow, Truncation } from '../../crds/flows.ts';
import { type Flow, OVERFLOW_PROTOCOL, UNATTRIBUTED } from './flow.ts';
import type { OwnedFlow, Segment } from './period.ts';

/** What is asked, and who answers. */
export interface Question {
  node: string;
  query: FlowQuery;
  /** The newest first. */
  segments: readonly Segment[];
  /** ms of a clock that only grows; `deadline` is when the answer must be as good as it gets. */
  clock(): number;
  deadline: number;
  /** Resolves after so many ms. */
  pause(ms: number): Promise<void>;
}

/** Sums that are kept before the best are chosen. */
const MAX_SUMS = 20_000;
/** So many times as long as it worked an answer rests: strangers ask, and the thread is the node manager's. */
const REST = 3;
const NOBODY: FlowOwner = { namespace: '', slice: '', capability: '', contact: '' };

/** Without what only the log knows: since when there is a record, and what is missing in it. */
export async function answerFlows(question: Question): Promise<Omit<FlowAnswer, 'since' | 'notes'>> {
  const { sums, truncated } = await gather(question, flowKey);
  const all = [...sums.values()].toSorted((a, b) => order(a) - order(b) || b.last - a.last || b.bytes - a.bytes);
  return { ...head(question, all.length, truncated), flows: all.slice(0, question.query.limit).map(flowRow) };
}

export async function answerPairs(question: Question): Promise<Omit<PairAnswer, 'since' | 'notes'>> {
  const { sums, truncated } = await gather(question, pairKey);
  const all = [...sums.values()].toSorted((a, b) => order(a) - order(b) || b.bytes - a.bytes);
  return { ...head(question, all.length, truncated), pairs: all.slice(0, question.query.limit).map(pairRow) };
}

/** Whether a flow answers a query; one without addresses could hold packets of any. Pure. */
export function matches(query: FlowQuery, { flow, owner }: OwnedFlow): boolean {
  if (flow.last < query.from || flow.first >= query.to) return false;
  if (query.slice !== undefined && (owner?.slice !== query.slice || flow.sliver === UNATTRIBUTED)) return false;
  if (query.namespace !== undefined && owner?.namespace !== query.namespace) return false;
  if (kindOf(flow) !== 'Flow') return true;
  if (query.protocol !== undefined && flow.protocol !== query.protocol) return false;
  if (query.port !== undefined && flow.destinationPort !== query.port) return false;
  if (query.sourcePort !== undefined && flow.sourcePort !== query.sourcePort) return false;
  if (!query.destination) return true;
  const address = parseAddress(flow.destination);
  return address !== undefined && contains(query.destination, address);
}

function kindOf({ sliver, protocol }: Flow): FlowKind {
  return sliver === UNATTRIBUTED ? 'Unattributed' : protocol === OVERFLOW_PROTOCOL ? 'Overflow' : 'Flow';
}

/** Flows that count as one, added up. */
interface Sum extends Flow {
  kind: FlowKind;
  owner: FlowOwner;
  flows: number;
}

async function gather(
  { query, segments, clock, deadline, pause }: Question,
  key: (flow: Flow) => string,
): Promise<{ sums: Map<string, Sum>; truncated: Truncation | undefined }> {
  const sums = new Map<string, Sum>();
  let began = clock();
  for (const segment of segments) {
    for await (const batch of segment.read(query.destination)) {
      for (const one of batch) {
        if (!matches(query, one)) continue;
        const { namespace, capability } = one.owner ?? NOBODY;
        const name = `${namespace}/${capability}/${key(one.flow)}`;
        const sum = sums.get(name);
        if (sum) addTo(sum, one.flow);
        else if (sums.size < MAX_SUMS) sums.set(name, begin(one));
        else return { sums, truncated: 'Rows' };
      }
      if (clock() > deadline) return { sums, truncated: 'Time' };
      await pause(REST * (clock() - began));
      began = clock();
    }
  }
  return { sums, truncated: undefined };
}

function begin({ flow, owner }: OwnedFlow): Sum {
  const kind = kindOf(flow);
  return { ...flow, kind, owner: kind === 'Unattributed' ? NOBODY : (owner ?? NOBODY), flows: kind === 'Flow' ? 1 : 0 };
}

function addTo(sum: Sum, flow: Flow): void {
  sum.first = Math.min(sum.first, flow.first);
  sum.last = Math.max(sum.last, flow.last);
  sum.tcpFlags |= flow.tcpFlags;
  sum.packets += flow.packets;
  sum.bytes += flow.bytes;
  if (sum.kind === 'Flow') sum.flows++;
}

function flowKey({ sliver, protocol, source, sourcePort, destination, destinationPort }: Flow): string {
  return `${sliver === UNATTRIBUTED} ${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

function pairKey({ sliver, protocol, destination }: Flow): string {
  return `${sliver === UNATTRIBUTED} ${protocol === OVERFLOW_PROTOCOL} ${destination}`;
}

/** Rows without addresses come last. */
function order({ kind }: Sum): number {
  return kind === 'Flow' ? 0 : kind === 'Overflow' ? 1 : 2;
}

function head({ node, query }: Question, rows: number, truncated: Truncation | undefined) {
  const cut = truncated ?? (rows > query.limit ? 'Rows' : undefined);
  return { node, from: formatTime(query.from), to: formatTime(query.to), ...(cut && { truncated: cut }) };
}

function flowRow({ kind, owner, first, last, protocol, ...flow }: Sum): FlowRow {
  const { source, sourcePort, destination, destinationPort, tcpFlags, packets, bytes } = flow;
  const headers = { source, sourcePort, destination, destinationPort, tcpFlags };
  const times = { first: formatTime(first), last: formatTime(last) };
  return { kind, ...owner, ...times, protocol: kind === 'Flow' ? protocol : 0, ...headers, packets, bytes };
}

function pairRow({ kind, owner, destination, first, last, flows, packets, bytes }: Sum): PairRow {
  return { kind, ...owner, destination, first: formatTime(first), last: formatTime(last), flows, packets, bytes };
}
