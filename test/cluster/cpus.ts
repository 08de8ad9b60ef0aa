/** Which CPUs each node has for itself. Pure. */

/** Reads the kernel's list format: `0-2,5` is 0, 1, 2 and 5. */
export function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((range) => range !== '')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      if (first === undefined || last === undefined || !(first <= last)) throw new Error(`no list of CPUs: ${text}`);
      return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
    });
}

export const formatCpuList = (cpus: readonly number[]): string => cpus.join(',');

/**
 * CPUs for each node: what is asked for, else an equal part, but at least one.
 * @throws when more is asked for than the machine has
 */
export function cpusPerNode(available: number, nodes: number, asked?: number): number {
  if (asked === undefined) return Math.max(1, Math.floor(available / Math.max(1, nodes)));
  if (!Number.isInteger(asked) || asked < 1 || asked > available) {
    throw new Error(`CPUS=${asked}: a node can have 1 to ${available} CPUs on this machine`);
  }
  return asked;
}

/**
 * The CPUs of node n (1..): consecutive ones, beginning anew after the last. Nodes share CPUs only when there are not
 * enough for all.
 */
export function nodeCpus(available: readonly number[], perNode: number, n: number): number[] {
  const start = (n - 1) * perNode;
  return Array.from({ length: perNode }, (_, i) => available[(start + i) % available.length]!).sort((a, b) => a - b);
}

/** Whether some CPU is promised by two nodes: true shares then mean less than they say. */
export const cpusAreShared = (available: number, perNode: number, nodes: number): boolean =>
  perNode * nodes > available;
