/** The commands: what each reads, and what it prints. */
import { setTimeout as sleep } from 'node:timers/promises';
import { getCondition } from '../../crds/conditions.ts';
import { clusterReadingCsv } from '../../crds/clusterreading.ts';
import type { Slice } from '../../crds/types.ts';
import { type Arguments, type Command, UsageError } from './arguments.ts';
import { readBroker } from './broker.ts';
import { nameSlice, parseSlice, readNodes, readSlice, readSlices, readSlivers, type Sliver } from './cluster.ts';
import { askSensor, inManager, onAll } from './managers.ts';
import { readAuditPath, readManagers } from './release.ts';
import type { Kubectl } from './run.ts';
import { clean, cleanLines, table } from './table.ts';
import { HEADING, type NodeReading, planTop } from './top.ts';
import { planWhy } from './why.ts';

export type Print = (text: string) => void;
type Run = (kubectl: Kubectl, args: Arguments, print: Print) => Promise<number>;

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
  const named = slice.spec.broker;
  const [slivers, nodes, broker] = await Promise.all([
    readSlivers(kubectl, slice),
    readNodes(kubectl),
    named === undefined ? undefined : readBroker(kubectl, named),
  ]);
  for (const line of planWhy({ slice, slivers, nodes, broker })) print(`${line}\n`);
  return getCondition(slice.status?.conditions, 'Ready')?.status === 'True' ? 0 : 1;
}

async function top(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const isWanted = await wantedOf(kubectl, args);
  const seconds = Number(args.options.get('interval') ?? 2);
  if (!(seconds >= 0.5 && seconds <= 3600)) throw new UsageError('--interval takes seconds, from 0.5 to 3600');
  const managers = await readManagers(kubectl, args, undefined);
  const cores = new Map(
    ((await readNodes(kubectl)) ?? []).map(({ metadata, status }) => {
      const { cpuMilli } = status?.node?.allocatable ?? {};
      return [metadata.name, cpuMilli === undefined ? undefined : cpuMilli / 1000];
    }),
  );
  const status = ['node', 'node-daemonset/main.ts', 'status', '--json'];
  const read = () => onAll(managers, async (one) => JSON.parse(await inManager(kubectl, one, status)) as NodeReading);
  let before = await read();
  for (;;) {
    await sleep(seconds * 1000);
    const after = await read();
    const rows: string[][] = [];
    const silent: string[] = [];
    for (const [i, { node }] of managers.entries()) {
      const [was, is] = [before[i]!, after[i]!];
      if (is instanceof Error || was instanceof Error) silent.push(`${node}: ${messageOf(is, was)}\n`);
      else rows.push(...planTop(node, cores.get(node), was, is, isWanted));
    }
    const isLive = !args.options.has('once') && process.stdout.isTTY;
    print(`${isLive ? '\u001b[H\u001b[2J' : ''}${table([HEADING, ...rows.toSorted(bySlice)])}`);
    for (const line of silent) process.stderr.write(line);
    if (!isLive) return silent.length > 0 ? 1 : 0;
    before = after;
  }
}

function messageOf(...answers: unknown[]): string {
  return clean(answers.find((one) => one instanceof Error)?.message);
}

/** Which slices `top` shows, by namespace/name. */
async function wantedOf(kubectl: Kubectl, args: Arguments): Promise<(slice: string) => boolean> {
  const { words, namespace, allNamespaces } = args;
  if (words[0] === undefined) return (slice) => namespace === undefined || slice.startsWith(`${namespace}/`);
  if (allNamespaces && parseSlice(words[0]).namespace === undefined) return (slice) => slice.endsWith(`/${words[0]}`);
  const wanted = await nameSlice(kubectl, args, words[0]);
  return (slice) => slice === wanted;
}

function bySlice(a: readonly string[], b: readonly string[]): number {
  return `${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1;
}

/** By the node managers, so that it needs nothing that the chart does not always install. */
async function sensors(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  if (args.words.includes('')) throw new UsageError('sensors takes no empty word');
  const reading = await askSensor(kubectl, await readManagers(kubectl, args, args.options.get('node')), args.words);
  const failed = reading.nodes.filter(({ result }) => result !== 'Answered');
  if (failed.length < reading.nodes.length) print(clusterReadingCsv(reading));
  for (const { node, error } of failed) process.stderr.write(`${node}: ${error}\n`);
  return failed.length > 0 ? 1 : 0;
}

async function audit(kubectl: Kubectl, args: Arguments, print: Print): Promise<number> {
  const { json, ...asked } = Object.fromEntries(args.options) as Record<string, string>;
  const [named] = args.words;
  const isBare = args.allNamespaces || named === undefined;
  if (args.namespace !== undefined && named === undefined) throw new UsageError('audit -n NAMESPACE needs a SLICE');
  const slice = isBare ? named : await nameSlice(kubectl, args, named);
  const query = new URLSearchParams(slice === undefined ? asked : { ...asked, slice });
  const format = json === undefined ? 'csv' : 'json';
  const path = await readAuditPath(kubectl, args);
  print(cleanLines(await kubectl.read('get', '--raw', `${path}/flows.${format}?${query.toString()}`)));
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
    for (const line of cleanLines((isError ? text.message : text).trimEnd()).split('\n')) {
      print(`${sliver.node}: ${line}\n`);
    }
    return isError;
  });
  return answers.some((one) => one !== false) ? 1 : 0;
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

function word({ words, command }: Arguments, what: string): string {
  if (words.length !== 1) throw new UsageError(`${command} needs the name of ${what}`);
  return words[0]!;
}

export const RUN: Readonly<Record<Command, Run>> = { ls, top, sensors, audit, dump, exec, why };
