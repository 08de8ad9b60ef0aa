/** What the harness and the tests take from the machine: Debian's packages, installed when we may, else named. */
import { existsSync, globSync } from 'node:fs';
import { run, succeeds } from './command.ts';
import { step } from './progress.ts';

/** A Debian package and a file that shows it is there, whoever installed it (a glob; a bare name is searched as a program). */
interface Package {
  name: string;
  shows: string;
}

const PACKAGES = {
  /** To run a cluster. */
  cluster: [
    { name: 'etcd-server', shows: 'etcd' },
    { name: 'containerd', shows: 'containerd' },
    { name: 'runc', shows: 'runc' },
    { name: 'containernetworking-plugins', shows: '/usr/lib/cni/bridge' },
    { name: 'iptables', shows: 'iptables' },
    { name: 'iproute2', shows: 'ip' },
    { name: 'procps', shows: 'sysctl' },
    { name: 'mount', shows: 'mount' },
    { name: 'openssl', shows: 'openssl' },
  ],
  /** To make the images. */
  images: [
    { name: 'make', shows: 'make' },
    { name: 'clang', shows: 'clang' },
    { name: 'llvm', shows: 'llvm-strip' },
    { name: 'libbpf-dev', shows: '/usr/include/bpf/bpf_helpers.h' },
    { name: 'gcc', shows: 'gcc' },
    { name: 'libc6-dev', shows: '/usr/lib/{*/,}libc.a' },
    { name: 'nftables', shows: 'nft' },
    { name: 'iptables', shows: 'iptables-nft-save' },
    { name: 'conntrack', shows: 'conntrack' },
    { name: 'iperf3', shows: 'iperf3' },
    { name: 'iputils-ping', shows: 'ping' },
    { name: 'traceroute', shows: 'traceroute' },
    { name: 'tcpdump', shows: 'tcpdump' },
  ],
  /** To build Kubernetes. */
  build: [{ name: 'golang-go', shows: 'go' }],
  /** To render the chart where there is no helm. */
  chart: [
    { name: 'golang-go', shows: 'go' },
    { name: 'golang-github-masterminds-sprig-dev', shows: '/usr/share/gocode/src/github.com/Masterminds/sprig' },
    { name: 'golang-github-ghodss-yaml-dev', shows: '/usr/share/gocode/src/github.com/ghodss/yaml' },
  ],
  /** To check metrics, rules and queries, and to scrape a cluster. */
  prometheus: [{ name: 'prometheus', shows: 'promtool' }],
  /** To look at pages as people do. */
  browser: [
    { name: 'chromium', shows: 'chromium' },
    { name: 'fonts-dejavu-core', shows: '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf' },
  ],
  /** A kernel with cgroup v2 only, for the tests of what this machine's kernel has on v1. */
  kernel: [{ name: 'user-mode-linux', shows: 'linux.uml' }],
} satisfies Record<string, Package[]>;

export type PackageGroup = keyof typeof PACKAGES;

const SEARCHED = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/lib/go/bin'];

const isThere = ({ shows }: Package): boolean =>
  shows.startsWith('/') ? globSync(shows).length > 0 : SEARCHED.some((dir) => existsSync(`${dir}/${shows}`));

export const missingPackages = (groups: readonly PackageGroup[]): string[] => [
  ...new Set(
    groups
      .flatMap((group) => PACKAGES[group])
      .filter((one) => !isThere(one))
      .map(({ name }) => name),
  ),
];

/**
 * Makes sure that the packages of these groups are there: installs what is missing when we are root on a Debian.
 * @throws naming what is missing when it cannot be installed from here
 */
export async function ensurePackages(groups: readonly PackageGroup[]): Promise<void> {
  const missing = missingPackages(groups);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get'))
    throw new Error(`missing here, by the names of Debian's packages: ${missing.join(' ')}`);
  if (process.getuid?.() !== 0) throw new Error(`missing here: ${missing.join(' ')}. As root: ${command}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => run(command.split(' '), { env, timeoutMs: 600_000 });
  await step(`installed ${missing.join(' ')}`, async () => {
    if (await succeeds(command.split(' '), { env, timeoutMs: 600_000 })) return;
    await run(['apt-get', '-q', 'update'], { env, timeoutMs: 300_000 }); // the lists may be old or absent
    await install();
  });
}
