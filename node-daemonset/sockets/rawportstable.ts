/** Keeps the kernel's rules about ports of raw sockets as they should be, and ordinary sockets off these ports. */
import { run } from '../exec.ts';
import { TABLE } from '../egress/names.ts';
import { parseRuleset, planElements, planRemoval, planRuleset, type RawPorts } from './rawports.ts';

/** Makes the kernel's rules say `wanted`, one change after the other. */
export class RawPortsTable {
  readonly #wanted: () => RawPorts;
  readonly #hold: (ports: RawPorts) => void;
  #turn: Promise<unknown> = Promise.resolve();
  /** Whether rules may be there: an earlier run may have left some, which would keep a port from its pod. */
  #used = true;
  /** What the rules were last known to say. */
  #said: RawPorts = { tcp: [], udp: [] };

  /** `hold` keeps ordinary sockets off these ports and no others. */
  constructor(wanted: () => RawPorts, hold: (ports: RawPorts) => void) {
    this.#wanted = wanted;
    this.#hold = hold;
  }

  /** Resolves with the number of writes when the kernel's rules say what was wanted at some instant after the call. */
  sync(): Promise<number> {
    const turn = this.#turn.then(() => this.#sync());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** The same where something else is wanted than was said last; else costs nothing. */
  async refresh(): Promise<void> {
    const { tcp, udp } = this.#wanted();
    if (!sameText(this.#said.tcp, tcp) || !sameText(this.#said.udp, udp)) await this.sync();
  }

  async #sync(): Promise<number> {
    const { tcp, udp } = this.#wanted();
    this.#hold({ tcp, udp });
    const isNeeded = tcp.length + udp.length > 0;
    if (!this.#used && !isNeeded) return 0;
    // not `-f -`: with JSON it can't read what is no JSON from a socket
    const listed = await run(['nft', '-j', 'list', 'table', ...TABLE.split(' ')]).catch(() => undefined);
    const there = parseRuleset(listed?.stdout);
    this.#used = isNeeded || there !== 'none';
    if (!this.#used) return 0;
    const same = typeof there === 'object' && sameText(there.tcp, tcp) && sameText(there.udp, udp);
    const plan = typeof there === 'object' ? planElements : planRuleset;
    if (!same) await run(['nft', '-f', '-'], { input: plan({ tcp, udp }) });
    this.#said = { tcp, udp };
    return same ? 0 : 1;
  }

  /** Takes chains and sets away. */
  async release(): Promise<void> {
    this.#used = false;
    this.#hold({ tcp: [], udp: [] });
    await run(['nft', '-f', '-'], { input: planRemoval() });
  }
}

function sameText(a: readonly number[], b: readonly number[]): boolean {
  return a.toSorted((x, y) => x - y).join() === b.join();
}
