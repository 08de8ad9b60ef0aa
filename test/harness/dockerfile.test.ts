/** Docker's image and the one that is put together without Docker must be the same thing to the chart. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { NODE_MANAGER_PROGRAMS, OWNERS_COMMAND, PRODUCT_CONFIG, SOURCES } from '../cluster/images.ts';

/** The Debian package of each program that the node manager starts. */
const PACKAGES: Readonly<Record<string, string>> = {
  tc: 'iproute2',
  ip: 'iproute2',
  ss: 'iproute2',
  bridge: 'iproute2',
  lsns: 'util-linux',
  nft: 'nftables',
  'iptables-nft-save': 'iptables',
  'ip6tables-nft-save': 'iptables',
  conntrack: 'conntrack',
  mount: 'mount',
  umount: 'mount',
  nsenter: 'util-linux',
  prlimit: 'util-linux',
  ping: 'iputils-ping',
  traceroute: 'traceroute',
};

describe('harness: Dockerfile', () => {
  const final = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
    .split(/^FROM /m)
    .at(-1)!;
  const instruction = (name: string): string => new RegExp(`^${name} (.*)$`, 'm').exec(final)![1]!;

  it('copies the same sources', () => {
    const copied = [...final.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
    // with what was compiled in it
    assert.match(final, /^COPY --from=programs \/app\/node-daemonset node-daemonset$/m);
    assert.deepEqual([...copied, 'node-daemonset'].sort(), [...SOURCES].sort());
  });

  it('lets the same sources through .dockerignore', () => {
    const ignored = readFileSync(new URL('../../.dockerignore', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const through = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    assert.deepEqual(through.sort(), [...SOURCES, 'Makefile', 'package-lock.json'].sort());
  });

  it('installs the same programs', () => {
    const installed = /--no-install-recommends ([^\\]+)/.exec(final)![1]!.trim().split(' ');
    assert.ok(installed.includes('libbpf1'));
    for (const program of NODE_MANAGER_PROGRAMS) assert.ok(installed.includes(PACKAGES[program]!), program);
  });

  it('has the owner’s command where it is looked for, for the Node that is there', () => {
    assert.equal(instruction('RUN ln'), `-s ${OWNERS_COMMAND} /usr/local/bin/slice-node`);
    const program = new URL(`../..${OWNERS_COMMAND.replace('/app', '')}`, import.meta.url);
    assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/local\/bin\/node\n/);
    assert.ok(final.includes('COPY --from=packages /usr/local/bin/node /usr/local/bin/node'));
    assert.equal(statSync(program).mode & 0o111, 0o111);
  });

  it('has the same user, directory and entry point', () => {
    assert.equal(instruction('USER'), PRODUCT_CONFIG.user);
    assert.equal(instruction('WORKDIR'), PRODUCT_CONFIG.workingDir);
    assert.deepEqual(JSON.parse(instruction('ENTRYPOINT')), PRODUCT_CONFIG.entrypoint);
    assert.deepEqual(JSON.parse(instruction('CMD')), PRODUCT_CONFIG.cmd);
  });
});
