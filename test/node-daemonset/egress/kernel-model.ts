/** As much of HTB and nftables as the plans rely on: applies their text, and refuses what the kernel would refuse. */
import { classIdText, parseClassId } from '../../../node-daemonset/egress/names.ts';
import { noExemption } from '../../../node-daemonset/egress/exempt.ts';
import type { AddressMaps } from '../../../node-daemonset/egress/nft.ts';
import type { EgressPlan, ObservedEgress } from '../../../node-daemonset/egress/plan.ts';
import { type ObservedClass, type ObservedLine, parseRate } from '../../../node-daemonset/egress/tc.ts';
import { printable } from '../../../node-daemonset/egress/tree.ts';

/** One machine with uplinks, without any root qdisc at first. */
export class KernelModel {
  readonly #lines = new Map<string, ObservedLine>();
  readonly #maps: AddressMaps = { v4: new Map(), v6: new Map() };
  readonly #exempt = noExemption();
  #complete = false;

  constructor(...devices: string[]) {
    for (const dev of devices) this.#lines.set(dev, emptyLine());
  }

  observe(): ObservedEgress {
    const table = { complete: this.#complete, maps: this.#maps, exempt: this.#exempt };
    return structuredClone({ lines: this.#lines, table });
  }

  /** Applies the first `count` steps of a plan, as a manager does that is killed then; calls `check` after each. */
  apply(plan: EgressPlan, count = Infinity, check: () => void = () => undefined): void {
    const steps = [
      ...plan.before.map((text) => () => this.#nft(text)),
      ...plan.tc.map(
        ({ text }) =>
          () =>
            this.#tc(text),
      ),
      ...plan.after.map((text) => () => this.#nft(text)),
    ];
    for (const step of steps.slice(0, count)) {
      step();
      check();
    }
  }

  #tc(text: string): void {
    const [object, verb, , dev, ...rest] = text.split(' ');
    const line = this.#lines.get(dev!)!;
    const word = (name: string): string | undefined => rest[rest.indexOf(name) + 1];
    const has = (name: string): boolean => rest.includes(name);
    if (object === 'qdisc' && has('root')) {
      this.#lines.set(dev!, { ...emptyLine(), ...(verb === 'add' && { root: 'ours' as const, rootKind: 'htb' }) });
    } else if (object === 'qdisc') {
      const htb = line.classes.get(parseClassId(word('parent')!)!);
      if (!htb) throw new Error(`no class for ${text}`);
      const limit = Number(word('limit'));
      htb.leaf = has('tbf')
        ? { kind: 'tbf', rate: printable(parseRate(word('rate')!)), limit }
        : { kind: 'bfifo', limit };
    } else if (verb === 'del') {
      const minor = parseClassId(word('classid')!)!;
      const busy = [...line.classes.values()].some(({ parent }) => parent === minor);
      if (busy || !line.classes.delete(minor)) throw new Error(`${text}: busy or gone`);
    } else {
      if (line.root !== 'ours') throw new Error(`${text}: no root`);
      const above = word('parent') === '1:' ? 0 : parseClassId(word('parent')!)!;
      if (above !== 0 && !line.classes.has(above)) throw new Error(`${text}: no parent`);
      const minor = parseClassId(word('classid')!)!;
      const was = line.classes.get(minor);
      const made: ObservedClass = {
        minor,
        parent: above,
        rate: printable(parseRate(word('rate')!)),
        ceil: printable(parseRate(word('ceil')!)),
        quantum: has('quantum') ? Number(word('quantum')) : undefined,
        leaf: was?.leaf,
      };
      line.classes.set(minor, made);
    }
  }

  #nft(text: string): void {
    if (text.startsWith('add rule')) this.#complete = true;
    if (/^(flush set|(add|delete) element) inet slice_operator exempt/.test(text)) this.#nftExempt(text);
    const match = /^(add|delete) element inet slice_operator from(4|6) \{ (.*) \}$/.exec(text);
    for (const element of match?.[3]?.split(', ') ?? []) {
      const map = this.#maps[`v${match![2] as '4' | '6'}`];
      const [address, id] = element.split(' : ') as [string, string | undefined];
      if (id === undefined) {
        if (!map.delete(address)) throw new Error(`${address} is not there`);
      } else {
        const minor = parseClassId(id)!;
        if (map.has(address) && map.get(address) !== minor) throw new Error(`${address} is there already`);
        if (![...this.#lines.values()].some(({ classes }) => classes.has(minor)))
          throw new Error(`${classIdText(minor)} is not there`);
        map.set(address, minor);
      }
    }
  }

  #nftExempt(text: string): void {
    const [, verb, name, list] = /^(\S+) \S+ inet slice_operator (\S+)(?: \{ (.*) \})?$/.exec(text)!;
    const family = `v${name!.slice(-1)}` as 'v4' | 'v6';
    if (verb === 'flush') this.#exempt[family].clear();
    else if (name !== 'exempt') for (const prefix of list!.split(', ')) this.#exempt[family].add(prefix);
    else {
      for (const pair of list!.split(', ')) {
        const [minor, second] = pair.split(' : ').map((id) => parseClassId(id)!);
        if (verb === 'delete') this.#exempt.classes.delete(minor!);
        else if (![...this.#lines.values()].some(({ classes }) => classes.has(second!)))
          throw new Error(`${classIdText(second!)} is not there`);
        else this.#exempt.classes.add(minor!);
      }
    }
  }
}

function emptyLine(): ObservedLine {
  return { root: 'default', rootKind: 'noqueue', classes: new Map(), counters: new Map() };
}
