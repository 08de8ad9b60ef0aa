/** Puts the programs into the kernel of the machine that it runs on, whose cgroups and file systems nobody else uses. */
import { mkdirSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelError } from '../../node-daemonset/bpf/kernel.ts';
import { openKernel } from '../../node-daemonset/bpf/open.ts';

const directory = join(tmpdir(), 'bpf');
const kubepods = '/sys/fs/cgroup/kubepods';
for (const path of [directory, kubepods]) mkdirSync(path);
const kernel = await openKernel({ directory });
const flows = kernel.flows instanceof KernelError ? kernel.flows.message : 'flows counted';
console.log(`Linux ${release()}: ${kernel.attach(kubepods)} attached, ${flows}`);
