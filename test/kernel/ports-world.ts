/**
 * A node with two pods behind cables, and a host outside; IPv4 and IPv6 on all of them. A stranger's masquerade makes the
 * pods' packets the node's, as CNIs do. Programs talk by UDP: who gets a packet, and from which address and port.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Namespaces } from './netns.ts';

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** Addresses of everybody, by family. */
export const NODE = { 4: '10.90.0.1', 6: 'fd90::1' } as const;
export const WORLD = { 4: '10.90.0.2', 6: 'fd90::2' } as const;
export const POD = { 4: '10.90.1.2', 6: 'fd90:1::2' } as const;
export const OTHER = { 4: '10.90.2.2', 6: 'fd90:2::2' } as const;

/** Says `<what> <address> <port>` of each packet that it gets, and sends it back. */
const ECHO = `
const [family, port, what] = process.argv.slice(1);
const socket = require('dgram').createSocket({ type: 'udp' + family, ipv6Only: family === '6' });
socket.on('message', (data, from) => { console.log(what, from.address, from.port); socket.send(data, from.port, from.address); });
socket.bind(Number(port), () => console.log('ready'));
`;

/** Sends from a port (0: any) to an address until somebody answers, and says `<address> <port>` of him, or nothing. */
const ASK = `
const [family, port, to, at] = process.argv.slice(1);
const socket = require('dgram').createSocket({ type: 'udp' + family, ipv6Only: family === '6' });
socket.on('message', (data, from) => { console.log(from.address, from.port); socket.close(); });
const send = () => socket.send('x', Number(at), to, () => undefined);
socket.on('close', () => clearInterval(again));
const again = setInterval(send, 300); // a first packet may be lost while neighbours are looked up
socket.bind(Number(port), send);
setTimeout(() => process.exit(), 3000).unref();
`;

const KEEP_ASKING = `
const [to, port] = process.argv.slice(1);
const socket = require('dgram').createSocket('udp4');
socket.on('message', (data, from) => console.log(from.address, from.port));
socket.on('error', () => undefined);
let times = 0;
socket.connect(Number(port), to, () => setInterval(() => socket.send('x', () => console.log('asked ' + ++times + ' times')), 50));
`;

export interface Client {
  /** Waits for a line. */
  until(line: string): Promise<void>;
  asked(): number;
  answers(): number;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let left = 1200; !holds(); left--) {
    if (left === 0) assert.fail(`never saw ${what}`);
    await sleep(25);
  }
}

export class PortsWorld {
  readonly net = new Namespaces('sop');

  constructor() {
    const { net } = this;
    for (const name of ['node', 'world', 'pod', 'other']) {
      net.add(name);
      // a router asks for neighbours by an address that it has only after a second otherwise
      net.run(name, ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
    }
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    net.link(['node', 'upl0', '10.90.0.1/24'], ['world', 'w0', '10.90.0.2/24']);
    this.#also('node', 'upl0', 'fd90::1/64');
    this.#also('world', 'w0', 'fd90::2/64');
    for (const [name, n] of [
      ['pod', 1],
      ['other', 2],
    ] as const) {
      net.link(['node', `h${n}`, `10.90.${n}.1/24`], [name, 'eth0', `10.90.${n}.2/24`]);
      this.#also('node', `h${n}`, `fd90:${n}::1/64`);
      this.#also(name, 'eth0', `fd90:${n}::2/64`);
      net.ip(name, 'route', 'add', 'default', 'via', `10.90.${n}.1`);
      net.ip(name, '-6', 'route', 'add', 'default', 'via', `fd90:${n}::1`);
    }
    net.ip('node', 'route', 'add', 'default', 'via', WORLD[4]);
    net.ip('node', '-6', 'route', 'add', 'default', 'via', WORLD[6]);
  }

  /** The masquerade of a CNI; `flags` such as `fully-random`, or a range. */
  masquerade(flags = ''): void {
    this.nft(
      'add table inet cni',
      'add chain inet cni post { type nat hook postrouting priority srcnat; }',
      `add rule inet cni post meta l4proto { tcp, udp, icmp, ipv6-icmp } oifname "upl0" fib saddr type != local masquerade ${flags}`,
    );
  }

  nft(...lines: string[]): void {
    this.net.run('node', ['nft', '-f', '-'], `${lines.join('\n')}\n`);
  }

  /** A program that answers on a port; its lines tell who asked. */
  async answer(
    where: string,
    family: Family,
    port: number,
    what = where,
  ): Promise<{ seen: string[]; stop(): Promise<void> }> {
    const argv = [process.execPath, '-e', ECHO, String(family), String(port), what];
    const child = this.net.spawn(where, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout! });
    await once(lines, 'line');
    const seen: string[] = [];
    lines.on('line', (line) => seen.push(line));
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    return { seen, stop };
  }

  /** Who answers, as `<address> <port>`; '' where nobody does. */
  async ask(where: string, family: Family, to: string, port: number, from = 0): Promise<string> {
    const argv = [process.execPath, '-e', ASK, String(family), String(from), to, String(port)];
    const child = this.net.spawn(where, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    return (await text(child.stdout!)).trim();
  }

  /** One client that asks over and over from the same port; it prints how often it did, and who answers. */
  keepAsking(where: string, to: string, port: number): Client {
    const child = this.net.spawn(where, [process.execPath, '-e', KEEP_ASKING, to, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
    const asked = (): number => lines.filter((line) => line.startsWith('asked')).length;
    return { until: (line) => until(() => lines.includes(line), line), asked, answers: () => lines.length - asked() };
  }

  /** The identifiers of the echo requests that come by. */
  async capture(where: string, dev: string, filter: string): Promise<{ ids(count: number): Promise<number[]> }> {
    const argv = ['tcpdump', '-lnn', '-i', dev, filter];
    const child = this.net.spawn(where, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    const ids: number[] = [];
    createInterface({ input: child.stdout! }).on('line', (line) => ids.push(Number(/ id (\d+),/.exec(line)?.[1])));
    await once(createInterface({ input: child.stderr! }), 'line'); // it listens
    return {
      ids: async (count) => {
        await until(() => ids.length >= count, `${count} echo requests`);
        return ids;
      },
    };
  }

  /** Waits for a line of an answering program. */
  async sees(program: { seen: string[] }, pattern: RegExp): Promise<string> {
    await until(() => program.seen.some((one) => pattern.test(one)), String(pattern));
    return program.seen.find((one) => pattern.test(one))!;
  }

  #also(namespace: string, dev: string, address: string): void {
    this.net.ip(namespace, '-6', 'addr', 'add', address, 'dev', dev, 'nodad');
  }
}
