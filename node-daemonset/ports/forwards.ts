/**
 * Pure: ports that rules of others send elsewhere before any socket sees them: hostPorts, ports of container engines, and
 * whatever else rewrites destinations. Read from nftables' own listing and from what iptables-save prints.
 */
import type { Range } from './ranges.ts';

export interface ForwardedPorts extends Range {
  protocol: 'TCP' | 'UDP';
  /** The rule's place, for people. */
  by: string;
}

interface NftRule {
  family: string;
  table: string;
  chain: string;
  expr?: NftExpression[];
}

type NftExpression = Record<string, unknown> & {
  match?: { left: unknown; right: unknown };
  xt?: { name?: string } | null;
};

/** `nft -j -n list ruleset`; tables of ours are named in `own`. */
export function parseRuleset(json: string, own: ReadonlySet<string>, addresses: ReadonlySet<string>): ForwardedPorts[] {
  const { nftables } = JSON.parse(json) as { nftables: { rule?: NftRule }[] };
  return nftables.flatMap(({ rule }) => {
    if (!rule?.expr || own.has(`${rule.family} ${rule.table}`)) return [];
    const { expr } = rule;
    if (!expr.some(({ dnat, redirect, xt }) => dnat !== undefined || redirect !== undefined || isTarget(xt?.name))) {
      return [];
    }
    const daddr = expr.find(({ match }) => fieldOf(match?.left)?.field === 'daddr')?.match?.right;
    if (typeof daddr === 'string' && !addresses.has(daddr)) return [];
    const by = `a rule of table ${rule.family} ${rule.table}, chain ${rule.chain}`;
    return expr.flatMap(({ match }) => {
      const left = fieldOf(match?.left);
      if (left?.field !== 'dport') return [];
      const protocols = PROTOCOLS.filter(({ names }) => names.includes(left.protocol ?? 'th'));
      const ranges = numbersOf(match!.right);
      return protocols.flatMap(({ protocol }) => ranges.map((range) => ({ protocol, ...range, by })));
    });
  });
}

/** `iptables-save -t nat`, of either family and backend. `addresses` are the node's own. */
export function parseIptables(text: string, addresses: ReadonlySet<string>): ForwardedPorts[] {
  return text.split('\n').flatMap((line) => {
    const chain = /^-A (\S+) /.exec(line)?.[1];
    const rewrites = isTarget(/ -j (\S+)/.exec(line)?.[1]) || chain === 'KUBE-NODEPORTS';
    // the plugin portmap jumps from here to a chain for each pod, by several ports in one rule
    if (!chain || !(rewrites || chain === 'CNI-HOSTPORT-DNAT')) return [];
    const [, not, daddr] = / (! )?-d (\S+?)(?:\/(?:32|128))? /.exec(line) ?? [];
    if (daddr !== undefined && !not && !addresses.has(daddr)) return [];
    const protocol = PROTOCOLS.find(({ names }) => names.includes(/ -p (\S+)/.exec(line)?.[1] ?? ''))?.protocol;
    const ports = / --dports? ([0-9:,]+)/.exec(line)?.[1];
    if (!protocol || ports === undefined) return [];
    return ports.split(',').map((part): ForwardedPorts => {
      const [from, to = from] = part.split(':');
      return { protocol, from: Number(from), to: Number(to), by: `a rule of iptables' chain ${chain}` };
    });
  });
}

const PROTOCOLS: readonly { protocol: 'TCP' | 'UDP'; names: readonly string[] }[] = [
  { protocol: 'TCP', names: ['tcp', '6', 'th'] },
  { protocol: 'UDP', names: ['udp', '17', 'th'] },
];

function isTarget(name: string | undefined): boolean {
  return name === 'DNAT' || name === 'REDIRECT';
}

function fieldOf(left: unknown): { protocol?: string; field?: string } | undefined {
  return (left as { payload?: { protocol?: string; field?: string } } | undefined)?.payload;
}

/** A number, a range, or a set of either. */
function numbersOf(right: unknown): Range[] {
  if (typeof right === 'number') return [{ from: right, to: right }];
  const { set, range } = (right ?? {}) as { set?: unknown[]; range?: [number, number] };
  if (range) return [{ from: range[0], to: range[1] }];
  return (set ?? []).flatMap(numbersOf);
}
