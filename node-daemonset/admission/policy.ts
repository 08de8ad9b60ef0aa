/** The owner's policy with every default filled in, and what follows from it. */
import { parseQuantity } from '../../crds/quantity.ts';
import type { Privilege } from '../../crds/rspec.ts';
import type { AuditPage, SensorPage, SliceNodeSpec } from '../../crds/types.ts';
import { egressOfSlivers } from '../egress/tree.ts';
import type { Line } from '../sliver.ts';
import type { Books, Period } from './ledger.ts';

/** What any one namespace may hold on this node. */
export interface Budget {
  shares: number;
  ports: number;
  /** Rights it may have asked for without having been granted them. */
  pending: number;
}

export interface PortRange {
  protocol: 'TCP' | 'UDP' | 'ICMP';
  from: number;
  to: number;
}

/** The policy with every default filled in; rates in bits/s, sizes in bytes, times in ms since the epoch. */
export interface Policy {
  shares: number;
  egressLimit: number;
  /** undefined: all that the node can allocate. */
  memory: number | undefined;
  disk: number | undefined;
  /** undefined: the pods that the node can hold, less some for the cluster's own. */
  pods: number | undefined;
  lines: Line[];
  otherInterfaces: 'Count' | 'Drop';
  /** Packets a second, of each sliver. */
  echoRate: number;
  optionRate: number;
  ports: PortRange[];
  privileges: Privilege[];
  /** The cluster's NodePorts: never to be had. */
  nodePorts: { from: number; to: number };
  /** Whether slivers may use the node's own address. */
  hostNetwork: boolean;
  budget: Budget;
  namespaces: ReadonlyMap<string, { refused: boolean; budget: Budget; bytesPerDay: number | undefined }>;
  /** Of one sliver; undefined: no bound. */
  bytesPerDay: number | undefined;
  /** Destinations that neither `egressLimit` nor `bytesPerDay` counts; empty: none. */
  exempt: { destinations: string[]; limit: number | undefined; bytesPerDay: number | undefined };
  audit: { keepMs: number; keepBytes: number; page: AuditPage | undefined };
  sensors: { probesPerMinute: number; page: SensorPage | undefined };
  blackouts: { period: Period; reason: string }[];
  /** A part of all that is offered, in 1/100, and who alone may have it; undefined: nothing is kept. */
  reserved: Reserve | undefined;
  /** Whether rights go that this policy would not leave. */
  evict: boolean;
  /** What the owner says on the node itself that all slices together send at most, in bits/s; undefined: nothing. */
  cap: number | undefined;
}

export interface Reserve {
  percent: number;
  namespaces: ReadonlySet<string>;
}

/** What the API server knows of the Node; sizes in bytes. */
export interface Allocatable {
  cpuMilli: number;
  memory: number;
  disk: number;
  pods: number;
}

const DAY_MS = 86_400_000;
const DEFAULT_BUDGET: Budget = { shares: 250, ports: 50, pending: 100 };
const DEFAULT_PORTS: PortRange[] = [
  { protocol: 'TCP', from: 1024, to: 65535 },
  { protocol: 'UDP', from: 1024, to: 65535 },
  { protocol: 'ICMP', from: 1, to: 65535 },
];

/** Safe raw sockets harm nobody, so everybody may have them, as on PlanetLab. */
const DEFAULT_PRIVILEGES: Privilege[] = ['RawSockets'];

/** Never to be had, whoever offers them: the sensors, our own probes, the kubelet and kube-proxy. */
const KEPT_PORTS: readonly { from: number; to: number }[] = [
  { from: 33080, to: 33081 },
  { from: 10248, to: 10259 },
];
/** What an API server does without --service-node-port-range. */
const DEFAULT_NODE_PORTS = { from: 30000, to: 32767 };

/** Pods of the cluster itself that a node must have room for: kube-proxy, the CNI, logging and the like. */
const PODS_KEPT = 10;

/** Fills in the defaults. The spec must be a valid one. */
export function policyOf(spec: SliceNodeSpec, cap?: number): Policy {
  const budget: Budget = { ...DEFAULT_BUDGET, ...spec.budget };
  return {
    shares: spec.shares ?? 900,
    egressLimit: parseQuantity(spec.egressLimit ?? '100M'),
    memory: quantity(spec.memory),
    disk: quantity(spec.disk),
    pods: spec.pods,
    lines: (spec.lines ?? []).map((line) => ({ interface: line.interface, rate: quantity(line.rate) })),
    otherInterfaces: spec.otherInterfaces ?? 'Count',
    echoRate: spec.icmpEchoPerSecond ?? 10,
    optionRate: spec.ipOptionsPerSecond ?? 10,
    ports: spec.ports ?? DEFAULT_PORTS,
    privileges: spec.privileges ?? DEFAULT_PRIVILEGES,
    nodePorts: spec.nodePorts ?? DEFAULT_NODE_PORTS,
    hostNetwork: spec.hostNetwork ?? false,
    budget,
    namespaces: new Map(
      (spec.namespaces ?? []).map(({ name, refused, budget: own, bytesPerDay }) => [
        name,
        {
          refused: refused ?? false,
          budget: { ...budget, ...own },
          bytesPerDay: quantity(bytesPerDay ?? spec.bytesPerDay),
        },
      ]),
    ),
    bytesPerDay: quantity(spec.bytesPerDay),
    exempt: {
      destinations: spec.exempt?.destinations ?? [],
      limit: quantity(spec.exempt?.limit),
      bytesPerDay: quantity(spec.exempt?.bytesPerDay),
    },
    sensors: { probesPerMinute: spec.sensors?.probesPerMinute ?? 30, page: spec.sensors?.page },
    audit: {
      keepMs: (spec.audit?.keepDays ?? 7) * DAY_MS,
      keepBytes: quantity(spec.audit?.keepBytes) ?? 512 * 2 ** 20,
      page: spec.audit?.page,
    },
    blackouts: (spec.blackouts ?? []).map(({ start, end, reason }) => ({
      period: { start: Date.parse(start), end: Date.parse(end) },
      reason: reason ?? '',
    })),
    reserved: spec.reserved && { ...spec.reserved, namespaces: new Set(spec.reserved.namespaces) },
    evict: spec.evict ?? false,
    cap,
  };
}

/** What a sliver of this namespace may send in a day, in bytes; undefined: no bound. */
export function bytesPerDayOf(policy: Policy, namespace: string): number | undefined {
  const own = policy.namespaces.get(namespace);
  return own ? own.bytesPerDay : policy.bytesPerDay;
}

/** What all slices together may send now, in bits/s: a cap never gives more. */
export function egressLimitOf({ egressLimit, cap = Infinity }: Policy): number {
  return Math.min(egressLimit, cap);
}

export function budgetOf(policy: Policy, namespace: string): Budget {
  return policy.namespaces.get(namespace)?.budget ?? policy.budget;
}

/**
 * What slices can have in all. Other pods' requests (1/1000 of a core) count against the shares at every instant: they
 * were promised first. `lineRate` is that of the slowest uplink, in bits/s, undefined where nobody knows it: no more egress is
 * granted than the tree on it will hold.
 */
export function offered(policy: Policy, node: Allocatable, otherRequests: number, lineRate?: number): Books {
  const others = node.cpuMilli > 0 ? Math.ceil((otherRequests * 1000) / node.cpuMilli) : 1000;
  const rates = [lineRate, ...policy.lines.map(({ rate }) => rate)].filter((rate) => rate !== undefined);
  const slowest = rates.length > 0 ? Math.min(...rates) : undefined;
  return {
    shares: Math.max(0, Math.min(policy.shares, 1000 - others)),
    egress: egressOfSlivers(slowest, egressLimitOf(policy)),
    memory: Math.min(policy.memory ?? node.memory, node.memory),
    disk: Math.min(policy.disk ?? node.disk, node.disk),
    pods: Math.max(0, Math.min(policy.pods ?? Infinity, node.pods - PODS_KEPT)),
  };
}

/** Whether nobody can have the port on any node. An ICMP identifier is no port: nobody listens on it. */
export function isKeptPort(protocol: PortRange['protocol'], port: number): boolean {
  return protocol !== 'ICMP' && KEPT_PORTS.some(({ from, to }) => from <= port && port <= to);
}

/** Why a port can't be had on this node; undefined where it can. */
export function portRefusal(policy: Policy, protocol: PortRange['protocol'], port: number): string | undefined {
  const within = ({ from, to }: { from: number; to: number }): boolean => from <= port && port <= to;
  if (isKeptPort(protocol, port) || (protocol !== 'ICMP' && within(policy.nodePorts))) {
    return `${protocol} port ${port} is kept for the cluster on every node`;
  }
  if (protocol === 'TCP' && policy.audit.page?.port === port) {
    return `TCP port ${port} is that of the node's page`;
  }
  if (protocol === 'TCP' && policy.sensors.page?.port === port) {
    return `TCP port ${port} is that of the node's published sensors`;
  }
  if (!policy.ports.some((range) => range.protocol === protocol && within(range))) {
    return `${protocol} port ${port} is not among the ports that the node's owner offers`;
  }
  return undefined;
}

function quantity(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : parseQuantity(value);
}
