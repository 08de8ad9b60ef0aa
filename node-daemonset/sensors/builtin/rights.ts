/** What the node granted and refused, and to whom each port belongs. */
import type { Column } from '../../../crds/reading.ts';
import type { NodeState } from '../../checkpoint.ts';
import { type Entry, type Grant, holdsAt } from '../../admission/ledger.ts';
import { leftAt, partsOf } from '../../admission/split.ts';
import type { Source } from '../source.ts';
import { builtin, type Row, SLICE_ARGUMENT, sliceFilter } from './builtin.ts';

export interface RightsParts {
  state(): NodeState;
  now(): number;
}

export function rightsSensors({ state, now }: RightsParts): Source[] {
  return [
    builtin(
      {
        name: 'capabilities',
        description: 'Every right that was asked of the node, and what became of it.',
        columns: CAPABILITIES,
        arguments: SLICE_ARGUMENT,
        rows(args) {
          const wanted = sliceFilter(args);
          return state()
            .ledger.entries.map((entry) => capabilityRow(entry, now()))
            .filter(({ namespace, slice }) => wanted({ namespace, slice }));
        },
      },
      now,
    ),
    builtin(
      {
        name: 'ports',
        description: 'Ports of the node that belong to somebody now.',
        columns: PORTS,
        rows() {
          const { entries } = state().ledger;
          const parts = partsOf(entries);
          return entries.flatMap((entry) => portRows(entry, parts.get(entry.uid) ?? [], now()));
        },
      },
      now,
    ),
  ];
}

const CAPABILITIES: readonly Column[] = [
  { name: 'namespace', type: 'string' },
  { name: 'capability', type: 'string' },
  { name: 'slice', type: 'string', help: 'To which it is bound.' },
  { name: 'verdict', type: 'string', help: 'Granted, Denied, Waiting, or Expired.' },
  { name: 'reason', type: 'string', help: 'Why its last edit was refused.' },
  { name: 'shares', type: 'integer', help: '1/1000 of the node.' },
  { name: 'guarantee', type: 'integer', unit: 'bits/s' },
  { name: 'limit', type: 'integer', unit: 'bits/s' },
  { name: 'memory', type: 'integer', unit: 'bytes' },
  { name: 'disk', type: 'integer', unit: 'bytes' },
  { name: 'ports', type: 'integer' },
  { name: 'start', type: 'time' },
  { name: 'end', type: 'time' },
  { name: 'contact', type: 'string' },
];

function capabilityRow({ namespace, name, grant, refusal }: Entry, now: number) {
  const amounts = grant?.amounts;
  return {
    namespace,
    capability: name,
    slice: grant?.sliceName ?? '',
    verdict: grant ? verdictOf(grant, now) : refusal ? 'Denied' : 'Waiting',
    reason: refusal?.reason ?? null,
    shares: amounts?.shares,
    guarantee: amounts?.egressGuarantee,
    limit: amounts?.egressLimit,
    memory: amounts?.memory,
    disk: amounts?.disk,
    ports: amounts?.ports.length,
    start: timeOf(grant?.period.start),
    end: timeOf(grant?.period.end),
    contact: grant?.contact,
  };
}

function verdictOf({ period }: NonNullable<Entry['grant']>, now: number): string {
  return (period.end ?? Infinity) <= now ? 'Expired' : 'Granted';
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

const PORTS: readonly Column[] = [
  { name: 'protocol', type: 'string' },
  { name: 'port', type: 'integer', help: 'Of ICMP, the echo identifier.' },
  { name: 'namespace', type: 'string' },
  { name: 'slice', type: 'string' },
  { name: 'network', type: 'string', help: 'Pod: what comes to it is forwarded to the sliver.' },
];

/** A port that is split off belongs to what it was split off to. */
function portRows({ namespace, grant }: Entry, parts: readonly Grant[], now: number): Row[] {
  const left = grant && holdsAt(grant.period, now) ? leftAt(grant, parts, now) : undefined;
  if (!grant || !left) return [];
  const { ports, network } = left;
  return ports.map(({ protocol, port }) => ({ protocol, port, namespace, slice: grant.sliceName ?? '', network }));
}
