/** The machine itself: what its kernel says to everybody. */
import { readFile, statfs } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { Column } from '../../../crds/reading.ts';
import type { Source } from '../source.ts';
import { builtin, type Row } from './builtin.ts';

/** A kernel's file, read in a moment: nothing of it is worth more than a second's cache. */
const CACHE_MS = 1_000;
const DISK_CACHE_MS = 30_000;

export interface MachineParts {
  /** Directories whose file systems are shown. */
  disks: readonly string[];
  now(): number;
}

export function machineSensors({ disks, now }: MachineParts): Source[] {
  const sensor = (name: string, description: string, columns: readonly Column[], rows: () => Promise<Row[]>): Source =>
    builtin({ name, description, columns, rows, cacheMs: name === 'disk' ? DISK_CACHE_MS : CACHE_MS }, now);
  return [
    sensor('load', 'Load averages of the node.', LOAD, async () => [parseLoad(await text('loadavg'))]),
    sensor('load5', 'Load average of the last five minutes.', [LOAD[1]!], async () => [
      parseLoad(await text('loadavg')),
    ]),
    sensor('uptime', 'Since when the node runs.', UPTIME, async () => {
      const [up = 0, idle = 0] = (await text('uptime')).split(' ').map(Number);
      return [{ uptime: up, idle, booted: new Date(now() - up * 1000).toISOString() }];
    }),
    sensor('meminfo', 'Memory of the node.', MEMORY, async () => [parseMeminfo(await text('meminfo'))]),
    sensor('cpus', 'The CPUs of the node and what each did since the boot.', CPUS, async () => {
      const models = cpus();
      return parseCpus(await text('stat')).map((row, i) => ({
        ...row,
        model: models[i]?.model ?? null,
        mhz: models[i]?.speed ?? null,
      }));
    }),
    sensor('disk', 'File systems of the slivers and of what the node remembers.', DISK, () =>
      Promise.all(disks.map(diskRow)),
    ),
  ];
}

async function text(name: string): Promise<string> {
  return await readFile(`/proc/${name}`, 'utf8');
}

const LOAD: readonly Column[] = [
  { name: 'load1', type: 'number', help: 'Mean of the last minute.' },
  { name: 'load5', type: 'number', help: 'Mean of the last five minutes.' },
  { name: 'load15', type: 'number', help: 'Mean of the last fifteen minutes.' },
];

export function parseLoad(loadavg: string): Row {
  const [load1, load5, load15] = loadavg.split(' ').map(Number);
  return { load1, load5, load15 };
}

const UPTIME: readonly Column[] = [
  { name: 'uptime', type: 'number', unit: 'seconds' },
  { name: 'idle', type: 'number', unit: 'seconds', help: 'Of all CPUs together.' },
  { name: 'booted', type: 'time' },
];

const MEMORY_FIELDS = {
  total: 'MemTotal',
  free: 'MemFree',
  available: 'MemAvailable',
  buffers: 'Buffers',
  cached: 'Cached',
  swap_total: 'SwapTotal',
  swap_free: 'SwapFree',
};
const MEMORY: readonly Column[] = Object.entries(MEMORY_FIELDS).map(([name, field]) => {
  return { name, type: 'integer', unit: 'bytes', help: `${field} of /proc/meminfo.` };
});

export function parseMeminfo(meminfo: string): Row {
  const kilobytes = new Map([...meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, name, kb]) => [name, Number(kb)]));
  return Object.fromEntries(
    Object.entries(MEMORY_FIELDS).map(([name, field]) => {
      const value = kilobytes.get(field);
      return [name, value === undefined ? null : value * 1024];
    }),
  );
}

const CPUS: readonly Column[] = [
  { name: 'cpu', type: 'integer' },
  { name: 'model', type: 'string' },
  { name: 'mhz', type: 'integer', unit: 'MHz' },
  ...(['user', 'nice', 'system', 'idle', 'iowait', 'steal'] as const).map((name): Column => {
    return { name, type: 'number', unit: 'seconds' };
  }),
];
/** The kernel counts for programs in 1/100 s on every architecture (USER_HZ). */
const TICKS = 100;

export function parseCpus(stat: string): Row[] {
  return [...stat.matchAll(/^cpu(\d+) (.*)$/gm)].map(([, cpu, rest]) => {
    const [user, nice, system, idle, iowait, , , steal] = rest!.split(' ').map((ticks) => Number(ticks) / TICKS);
    return { cpu: Number(cpu), user, nice, system, idle, iowait, steal };
  });
}

const DISK: readonly Column[] = [
  { name: 'path', type: 'string' },
  { name: 'size', type: 'integer', unit: 'bytes' },
  { name: 'free', type: 'integer', unit: 'bytes', help: 'To everybody, not only to root.' },
  { name: 'used', type: 'integer', unit: 'bytes' },
  { name: 'files', type: 'integer' },
  { name: 'files_free', type: 'integer' },
];

async function diskRow(path: string): Promise<Row> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
  const used = (blocks - bfree) * bsize;
  return { path, size: blocks * bsize, free: bavail * bsize, used, files, files_free: ffree };
}
