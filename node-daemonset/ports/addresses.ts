/** The addresses that the node's ports are of. */
import { join } from 'node:path';
import { parseFibTrie, parseIfInet6 } from '../addresses/netns.ts';
import { readOr } from '../processes.ts';

/** The global addresses of this process's network namespace, of both families. `proc` is where proc(5) is. */
export function readNodeAddresses(proc = '/proc'): string[] {
  const text = (name: string): string => readOr(join(proc, 'self/net', name), '');
  return [...parseFibTrie(text('fib_trie')), ...parseIfInet6(text('if_inet6'))];
}
