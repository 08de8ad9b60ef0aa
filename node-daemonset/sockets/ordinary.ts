/** Ordinary sockets of the node's network namespace, by their port: the kernel's own TCP and UDP. */
import { run } from '../exec.ts';
import type { Transport } from './request.ts';

/** An entry of `ss`: what holds a port, in words. */
export interface Holder {
  state: string;
  local: string;
}

const OPTION = { tcp: '-t', udp: '-u' } as const;
/** A connection that is over: nobody holds it, and it ends by itself. */
const OVER = 'TIME-WAIT';

/** The first socket whose own port this is; undefined where there is none. */
export async function holderOf(protocol: Transport, port: number): Promise<Holder | undefined> {
  const { stdout } = await run(['ss', '-H', '-n', '-a', OPTION[protocol], `sport = :${port}`]);
  return parseHolders(stdout)[0];
}

/** Ends every socket whose own port is among these, as if the other side had reset it; what is left of one, too. */
export async function destroyOrdinary(ports: readonly { protocol: Transport; port: number }[]): Promise<void> {
  for (const protocol of ['tcp', 'udp'] as const) {
    const own = ports.filter((one) => one.protocol === protocol).map(({ port }) => `sport = :${port}`);
    if (own.length > 0) await run(['ss', '-K', '-H', '-n', '-a', OPTION[protocol], `( ${own.join(' or ')} )`]);
  }
}

export function parseHolders(text: string): Holder[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([state, , , local]) => local !== undefined && state !== OVER)
    .map(([state, , , local]) => ({ state: state!, local: local! }));
}
