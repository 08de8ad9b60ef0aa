/** Pure: which interfaces are the node's way out, and how fast each is. */
import type { Line, Problem } from '../sliver.ts';
import { isInterfaceName } from './names.ts';

/** An uplink; `rate` in bits/s, undefined where nobody knows it. */
export interface Uplink {
  interface: string;
  rate: number | undefined;
}

const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

/** The owner's lines, else the default routes' interfaces; a rate from the owner, else from the link. */
export function planUplinks(
  lines: readonly Line[],
  defaultRoutes: readonly string[],
  interfaces: ReadonlySet<string>,
  linkSpeed: (name: string) => number | undefined,
): { uplinks: Uplink[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const wanted: Line[] =
    lines.length > 0 ? [...lines] : [...new Set(defaultRoutes)].map((name) => ({ interface: name, rate: undefined }));
  if (wanted.length === 0) {
    const message = 'the owner names no line and there is no default route: no egress is shaped';
    problems.push({ reason: 'UplinkMissing', message });
  }
  const uplinks = wanted.flatMap((line): Uplink[] => {
    const name = line.interface;
    if (!isInterfaceName(name) || !interfaces.has(name)) {
      const message = `there is no interface ${JSON.stringify(name)}: its egress is not shaped; name another line`;
      problems.push({ reason: 'UplinkMissing', message });
      return [];
    }
    const rate = line.rate ?? linkSpeed(name);
    if (rate === undefined) {
      const message = `the rate of ${name} is not known: slivers have no guarantee against the node's own traffic; name the line's rate`;
      problems.push({ reason: 'LineUnknown', message });
    }
    return [{ interface: name, rate }];
  });
  return { uplinks, problems };
}

/** Interfaces of default routes, from the text of /proc/net/route and /proc/net/ipv6_route. */
export function parseDefaultRoutes(route: string, route6: string): string[] {
  const names = new Set<string>();
  for (const line of route.split('\n').slice(1)) {
    const [name, destination, , flags, , , , mask] = line.trim().split(/\s+/);
    if (name && destination === '00000000' && mask === '00000000' && usable(flags)) names.add(name);
  }
  for (const line of route6.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields[9];
    if (name && name !== 'lo' && /^0{32}$/.test(fields[0]!) && fields[1] === '00' && usable(fields[8])) names.add(name);
  }
  return [...names];
}

function usable(flags: string | undefined): boolean {
  const bits = parseInt(flags ?? '0', 16);
  return (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0;
}
