/**
 * The node manager's guard as a process of its own, to be started in a network namespace and a cgroup: takes one JSON
 * request a line and answers each with one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import koffi from 'koffi';
import type { RawFlow, RawGrant, SliverCounters } from '../../node-daemonset/bpf/kernel.ts';
import type { SliverKernel } from '../../node-daemonset/bpf/open.ts';
import { createGuardEnforcer } from '../../node-daemonset/guard/apply.ts';
import type { Desired } from '../../node-daemonset/sliver.ts';

export type GuardRequest =
  | { enforce: Desired }
  | { retreat: Desired }
  | { release: true }
  | { counters: true }
  | { drain: true }
  | { generation: number }
  /** So many ms pass at once, by the guard's clock. */
  | { later: number }
  /** What /proc says of each program's descriptor. */
  | { programs: true }
  /** Marks the socket that another process has as this descriptor. */
  | { mark: { pid: number; fd: number; grant: RawGrant } };

export interface GuardReplies {
  programs: { name: string; runs: number; ns: number }[];
  counters: [number, SliverCounters][];
  drain: { flows: (Omit<RawFlow, 'first' | 'last'> & { first: string; last: string })[]; ms: number };
}

const [prefix, directory, tc] = process.argv.slice(2);
let ahead = 0;
const now = (): number => Date.now() + ahead;
const guard = createGuardEnforcer({ prefix, directory: directory!, uplinksByTc: tc !== undefined, now });

/** Another process's descriptor as one of ours: pidfd_open(2), pidfd_getfd(2). */
function takeDescriptor(pid: number, fd: number): number {
  const syscall = koffi.load('libc.so.6').func('syscall', 'long', ['long', 'long', 'long', 'long']) as (
    ...args: number[]
  ) => number;
  const taken = syscall(438, syscall(434, pid, 0, 0), fd, 0);
  if (taken < 0) throw new Error(`descriptor ${fd} of ${pid} could not be taken`);
  return taken;
}

/** Needs the sysctl kernel.bpf_stats_enabled. */
function runsOf(fd: number): { runs: number; ns: number } {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(text)?.[1]);
  return { runs: field('run_cnt'), ns: field('run_time_ns') };
}

async function answer(request: GuardRequest): Promise<unknown> {
  if ('enforce' in request) return await guard.enforce(request.enforce, AbortSignal.timeout(60_000));
  if ('retreat' in request) return await guard.retreat(request.retreat).then(() => ({}));
  if ('later' in request) return { ahead: (ahead += request.later) };
  if ('release' in request) return await guard.release().then(() => ({}));
  const kernel = guard.kernel();
  if (!kernel) throw new Error('there is no kernel');
  if ('counters' in request) return [...guard.counters()];
  if ('programs' in request) return (kernel as SliverKernel).programs.map(({ name, fd }) => ({ name, ...runsOf(fd) }));
  if ('generation' in request) return { generation: kernel.rawGeneration(request.generation) };
  if ('mark' in request) {
    kernel.markRaw(takeDescriptor(request.mark.pid, request.mark.fd), request.mark.grant);
    return {};
  }
  const began = process.hrtime.bigint();
  const drained = kernel.drainFlows();
  const ms = Number(process.hrtime.bigint() - began) / 1e6;
  return { flows: drained.map((flow) => ({ ...flow, first: String(flow.first), last: String(flow.last) })), ms };
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as GuardRequest).catch((error: Error) => ({ error: error.stack }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
