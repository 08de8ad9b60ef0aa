/** Pure: which of the node's interfaces lead out of it, so that what leaves by them has the node's address. */

export interface Link {
  name: string;
  /** It leads out of the node, as opposed to its pods, to tunnels between nodes, and to itself. */
  outside: boolean;
  /** It is one that the owner names, or where he names none, one of a default route. */
  isLine: boolean;
}

/**
 * Kinds whose packets stay on the node or leave inside others: cables and bridges of pods, overlays, and what is no way at
 * all. A VPN's `tun` is none of them: what it sends is a process's own traffic.
 */
const INNER: ReadonlySet<string> = new Set([
  ...['veth', 'bridge', 'dummy', 'ifb', 'netkit', 'cilium'],
  ...['vxlan', 'geneve', 'wireguard', 'ipip', 'sit', 'gre', 'gretap', 'ip6tnl', 'ip6gre', 'ip6gretap', 'vti', 'vti6'],
]);

/** `ip -j -d link show`. An interface with a default route leads out whatever it is, as does one that the owner names. */
export function parseLinks(json: string, named: ReadonlySet<string>, defaultRoutes: ReadonlySet<string>): Link[] {
  const links = JSON.parse(json) as { ifname: string; link_type?: string; linkinfo?: { info_kind?: string } }[];
  return links.map(({ ifname, link_type: type, linkinfo }) => {
    const inner = type === 'loopback' || INNER.has(linkinfo?.info_kind ?? '');
    const outside = named.has(ifname) || defaultRoutes.has(ifname) || !inner;
    return { name: ifname, outside, isLine: (named.size > 0 ? named : defaultRoutes).has(ifname) };
  });
}
