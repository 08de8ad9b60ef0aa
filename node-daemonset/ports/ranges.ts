/** Pure: sets of ports, and the text in which sysctl has them (`80,443,5000-5009`). */

/** Both ends belong to it. */
export interface Range {
  from: number;
  to: number;
}

/** Throws where the text is none: what is not understood must not be written back as nothing. */
export function parsePorts(text: string): Set<number> {
  const ports = new Set<number>();
  for (const part of text.trim().split(',')) {
    if (part === '') continue;
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (from === undefined || Number(to) > 65_535) throw new Error(`${JSON.stringify(part.slice(0, 40))} is no port`);
    for (let port = Number(from); port <= Number(to); port++) ports.add(port);
  }
  return ports;
}

export function formatPorts(ports: ReadonlySet<number>): string {
  return rangesOf(ports)
    .map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
    .join(',');
}

/** The fewest ranges that make up the set, in order. */
export function rangesOf(ports: ReadonlySet<number>): Range[] {
  const ranges: Range[] = [];
  for (const port of [...ports].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && last.to + 1 === port) last.to = port;
    else ranges.push({ from: port, to: port });
  }
  return ranges;
}

/** The text in pieces of at most so many bytes, cut between ranges only. */
export function piecesOf(text: string, limit: number): string[] {
  const pieces: string[] = [];
  for (const range of text.split(',')) {
    const last = pieces.at(-1);
    if (last !== undefined && last.length + 1 + range.length <= limit) pieces[pieces.length - 1] = `${last},${range}`;
    else pieces.push(range);
  }
  return pieces;
}

/** The longest stretch of `within` that has none of the ports; all of it where every port is taken. */
export function longestGap(within: Range, ports: Iterable<number>): Range {
  const taken = [...new Set(ports)].filter((port) => port >= within.from && port <= within.to).sort((a, b) => a - b);
  let best: Range | undefined;
  let from = within.from;
  for (const port of [...taken, within.to + 1]) {
    const gap = { from, to: port - 1 };
    if (gap.from <= gap.to && (!best || gap.to - gap.from > best.to - best.from)) best = gap;
    from = port + 1;
  }
  return best ?? within;
}
