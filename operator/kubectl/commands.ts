/** The commands: what each reads, and what it prints. */
import { setTimeout as sleep } from 'node:timers/promises';
import { getCondition } from '../../crds/conditions.ts';
import type { Slice } from '../../crds/types.ts';
import { type Arguments, type Command, UsageError } from './arguments.ts';
import {
  type Manager,
  readAuditPath,
  readManagers,
  readNodes,
  readSlice,
  readSlices,
  readSlivers,
  type Sliver,
} from './cluster.ts';
import type { Kubectl } from './run.ts';
import { clean, table } from './table.ts';
import { HEADING, type NodeReading, planTop } from './top.ts';
import { planWhy } from './why.ts';

export type Print = (text: string) => void;
type Run = (kubectl: Kubectl, args: Arguments, print: Print) => Promise<number>;

const CONTAINER = 'node-manager';
/** Nodes that are asked at a time. */
const AT_ONCE = 8;

async function ls(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const rows = (await readSlices(kubectl, args)).map(({ metadata, status }) => {
    const ready = getCondition(status?.conditions, 'Ready');
    const { wanted = 0, granted = 0, running = 0 } = status?.nodes ?? {};
    const restraints = (status?.restraints ?? []).map(({ name }) => name).join(',') || '-';
    const name = `${metadata.namespace}/${metadata.name}`;
    return [
      name,
      ready?.status ?? '-',
      ready?.reason ?? '-',
      `${granted}/${wanted}`,
      `${running}/${wanted}`,
      restraints,
    ];
  });
  print(table([['SLICE', 'READY', 'REASON', 'GRANTED', 'RUNNING', 'RESTRAINTS'], ...rows]));
  return 0;
}

async function why(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const slice = await readSlice(kubectl, args, word(args, 'a slice'));
  const [slivers, nodes] = await Promise.all([readSlivers(kubectl, slice), readNodes(kubectl)]);
  for (const line of planWhy({ slice, slivers, nodes })) print(`${line}\n`);
  return getCondition(slice.status?.conditions, 'Ready')?.status === 'True' ? 0 : 1;
}

async function top(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const wanted = args.words[0];
  const seconds = Number(args.options.get('interval') ?? 2);
  if (!(seconds >= 0.5 && seconds <= 3600)) throw new UsageError('--interval takes seconds, from 0.5 to 3600');
  const managers = await readManagers(kubectl, undefined);
  const cores = new Map(
    ((await readNodes(kubectl)) ?? []).map(({ metadata, status }) => {
      const { cpuMilli } = status?.node?.allocatable ?? {};
      return [metadata.name, cpuMilli === undefined ? undefined : cpuMilli / 1000];
    }),
  );
  const isWanted = (slice: string): boolean => {
    const [namespace, name] = slice.split('/');
    if (args.namespace !== undefined && namespace !== args.namespace) return false;
    return wanted === undefined || wanted === slice || wanted === name;
  };
  const status = ['node', 'node-daemonset/main.ts', 'status', '--json'];
  const read = () => onAll(managers, async (one) => JSON.parse(await inManager(kubectl, one, status)) as NodeReading);
  let before = await read();
  for (;;) {
    await sleep(seconds * 1000);
    const after = await read();
    const rows = managers.flatMap(({ node }, i) => planTop(node, cores.get(node), before[i]!, after[i]!, isWanted));
    const isLive = !args.options.has('once') && process.stdout.isTTY;
    print(`${isLive ? '\u001b[H\u001b[2J' : ''}${table([HEADING, ...rows.toSorted(bySlice)])}`);
    if (!isLive) return 0;
    before = after;
  }
}

function bySlice(a: readonly string[], b: readonly string[]): number {
  return `${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1;
}

/** By the node managers, which are in their nodes' own network: sensors listen on loopback. */
async function sensors(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const path = args.words.map(encodeURIComponent).join('/');
  const managers = await readManagers(kubectl, args.options.get('node'));
  const script =
    'fetch(process.argv[1],{headers:{accept:"text/csv"},signal:AbortSignal.timeout(20000)})' +
    '.then(async r=>{if(!r.ok)throw Error(r.status+" "+await r.text());process.stdout.write(await r.text())})' +
    '.catch(e=>{console.error(e.message);process.exit(1)})';
  const argv = ['node', '-e', script, '--', `http://127.0.0.1:33080/${path}`];
  const answers = await onAll(managers, async (one) => {
    return await inManager(kubectl, one, argv).catch((error: Error) => error);
  });
  let heading: string | undefined;
  let failed = 0;
  for (const [i, answer] of answers.entries()) {
    const { node } = managers[i]!;
    if (answer instanceof Error) {
      failed++;
      process.stderr.write(`${node}: ${clean(answer.message)}\n`);
      continue;
    }
    const [first = '', ...rows] = answer.split('\r\n').filter((line) => line !== '');
    if (heading === undefined) print(`node,${(heading = clean(first))}\n`);
    for (const row of rows) print(`${node},${clean(row)}\n`);
  }
  return failed > 0 ? 1 : 0;
}

async function audit(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const { json, ...asked } = Object.fromEntries(args.options) as Record<string, string>;
  const [slice] = args.words;
  const query = new URLSearchParams(slice === undefined ? asked : { ...asked, slice });
  const format = json === undefined ? 'csv' : 'json';
  print(await kubectl.read('get', '--raw', `${await readAuditPath(kubectl)}/flows.${format}?${query.toString()}`));
  return 0;
}

async function dump(kubectl: Kubectl, args: Arguments): Promise<number> {
  const slice = await readSlice(kubectl, args, word(args, 'a slice'));
  const [sliver] = await running(kubectl, args, slice);
  return await kubectl.show('exec', ...inPod(sliver!), '--', '/run/slice/bin/slice-dump', ...args.rest);
}

async function exec(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  if (args.rest.length === 0) throw new UsageError('exec needs a command after --');
  const slice = await readSlice(kubectl, args, word(args, 'a slice'));
  const slivers = await running(kubectl, args, slice);
  if (!args.options.has('all')) {
    const terminal = process.stdin.isTTY && process.stdout.isTTY ? ['-it'] : ['-i'];
    return await kubectl.show('exec', ...terminal, ...inPod(slivers[0]!), '--', ...args.rest);
  }
  const answers = await onAll(slivers, async (sliver) => {
    const text = await kubectl.read('exec', ...inPod(sliver), '--', ...args.rest).catch((error: Error) => error);
    const isError = text instanceof Error;
    for (const line of (isError ? text.message : text).trimEnd().split('\n')) print(`${sliver.node}: ${line}\n`);
    return isError;
  });
  return answers.includes(true) ? 1 : 0;
}

async function running(kubectl: Kubectl, args: Arguments, slice: Slice): Promise<Sliver[]> {
  const node = args.options.get('node');
  const found = (await readSlivers(kubectl, slice)).filter((one) => {
    return one.pod?.status?.phase === 'Running' && (node === undefined || one.node === node);
  });
  const { namespace, name } = slice.metadata;
  const place = node === undefined ? '' : ` on ${node}`;
  if (found.length === 0)
    throw new UsageError(`no sliver of ${namespace}/${name} runs${place}: kubectl slice why ${name}`);
  return found;
}

function inPod({ pod }: Sliver): string[] {
  return ['--namespace', pod!.metadata.namespace, pod!.metadata.name];
}

function inManager(kubectl: Kubectl, { namespace, pod }: Manager, argv: readonly string[]): Promise<string> {
  return kubectl.read('exec', '--namespace', namespace, pod, '--container', CONTAINER, '--', ...argv);
}

function word({ words, command }: Arguments, what: string): string {
  if (words.length !== 1) throw new UsageError(`${command} needs the name of ${what}`);
  return words[0]!;
}

/** In their order; so many at a time. */
async function onAll<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...all.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

export const RUN: Readonly<Record<Command, Run>> = { ls, top, sensors, audit, dump, exec, why };
