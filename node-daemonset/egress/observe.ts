/** Reads what tc and nftables have, in one process for each question however many slivers there are. */
import { ExecError, run } from '../exec.ts';
import { parseTable, type ObservedTable } from './nft.ts';
import { TABLE } from './names.ts';
import { type ObservedLine, parseClasses, parseQdiscs } from './tc.ts';

/** Every interface with its root qdisc; the classes of those that are ours. */
export async function observeLines(signal?: AbortSignal): Promise<Map<string, ObservedLine>> {
  const options = signal && { signal };
  const { stdout } = await run(['tc', '-j', '-r', 'qdisc', 'show'], options);
  const lines = new Map<string, ObservedLine>();
  for (const [dev, { root, rootKind, leaves }] of parseQdiscs(stdout)) {
    const text = root === 'ours' ? (await run(['tc', '-s', '-d', 'class', 'show', 'dev', dev], options)).stdout : '';
    lines.set(dev, { root, rootKind, ...parseClasses(text, leaves) });
  }
  return lines;
}

export async function observeTable(signal?: AbortSignal): Promise<ObservedTable> {
  try {
    const { stdout } = await run(['nft', '-j', 'list', 'table', ...TABLE.split(' ')], signal && { signal });
    return parseTable(stdout);
  } catch (error) {
    if (error instanceof ExecError && /No such file or directory/.test(error.stderr)) return parseTable(undefined);
    throw error;
  }
}
