/** What a hostile sliver does at its socket: `sockets-hostile.ts KIND SOCKET`, and what it got on stdout. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BOUNDS } from '../../node-daemonset/sockets/bounds.ts';

const [kind, path] = process.argv.slice(2) as [string, string];
const RAW = '{"open":"raw","protocol":"tcp","family":4,"port":5001}\n';

function open(): { socket: Socket; text: () => string; closed: Promise<void> } {
  const socket = connect(path);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  return { socket, text: () => text, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
}

const attacks: Record<string, () => Promise<string>> = {
  /** A megabyte of anything. Whoever still writes when he is hung up on may lose what was said to him: he comes again. */
  async noise() {
    for (let tries = 50; tries > 0; tries--) {
      const { socket, text, closed } = open();
      for (let i = 0; i < 16; i++) socket.write(randomBytes(65_536));
      await closed;
      if (text() !== '') return `${text()}\nclosed`;
      await sleep(100);
    }
    return 'no answer';
  },

  /** 2000 requests at once over every connection that it can have. */
  async flood() {
    const began = performance.now();
    const all = Array.from({ length: 8 }, open);
    for (const { socket } of all) socket.write('{"open":"audit"}\n'.repeat(250));
    await sleep(3000);
    for (const { socket } of all) socket.destroy();
    const answers = all.reduce((sum, { text }) => sum + text().split('\n').length - 1, 0);
    return JSON.stringify({ answers, seconds: (performance.now() - began) / 1000 });
  },

  /** 1000 connections with half of a request each, and the reasons why they were ended. */
  async 'half-open'() {
    const all = Array.from({ length: 1000 }, () => {
      const one = open();
      one.socket.write('{"open":');
      return one;
    });
    await sleep(8000);
    const said = (): Record<string, number> => {
      const told: Record<string, number> = {};
      for (const { text } of all) {
        const code = /"code":"(\w+)"/.exec(text())?.[1] ?? 'nothing';
        told[code] = (told[code] ?? 0) + 1;
      }
      return told;
    };
    // a busy machine takes longer to end as many as there may be
    for (let left = 300; left > 0 && (said()['ETIMEDOUT'] ?? 0) < BOUNDS.connections; left--) await sleep(100);
    const told = said();
    for (const { socket } of all) socket.destroy();
    return JSON.stringify({ told });
  },

  /** Asks for descriptors for as long as it gets any; Node takes the bytes and leaves the descriptors. */
  async untaken() {
    const all = Array.from({ length: 4 }, () => {
      const socket = connect(path);
      socket.on('error', () => undefined).pause();
      for (let i = 0; i < 20; i++) socket.write(RAW);
      return socket;
    });
    await sleep(8000);
    const { socket, text } = open();
    socket.write(RAW);
    for (let left = 300; left > 0 && text() === ''; left--) await sleep(100);
    for (const one of [...all, socket]) one.destroy();
    return text();
  },

  /** Opens a sniffer, reads nothing while 20,000 packets leave its port, and then counts what is there and what is not. */
  async lazy() {
    const socket = connect(path);
    socket.write('{"open":"sniffer","protocol":"udp","port":5001}\n');
    // that it is open; Node takes no more than it holds back
    await once(socket, 'readable');
    const sender = createSocket('udp4').bind(5001);
    await sleep(100);
    const send = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 50) {
        for (let i = 0; i < 50; i++) sender.send(Buffer.alloc(9), 9, '10.78.0.2');
        await sleep(1);
      }
    };
    await send(20_000);
    let stream: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => (stream = Buffer.concat([stream, chunk])));
    const whenStill = async (): Promise<void> => {
      for (let length = -1; length !== stream.length; await sleep(1000)) length = stream.length;
    };
    await whenStill();
    // what was lost is told with the next that is not
    await send(1);
    await whenStill();
    let [packets, lost] = [0, 0];
    for (let at = stream.indexOf('\n') + 1; at + 12 <= stream.length; at += stream.readUInt32LE(at + 4)) {
      if (stream.readUInt32LE(at) !== 6) continue;
      packets++;
      // the options behind the packet: flags, of 8 bytes, and then the drops
      const options = at + 28 + ((stream.readUInt32LE(at + 20) + 3) & ~3) + 8;
      if (stream.readUInt16LE(options) === 4) lost += Number(stream.readBigUInt64LE(options + 4));
    }
    return JSON.stringify({ packets, lost });
  },

  /** What any program would do; a connection is refused while the kernel holds as many as it may. */
  async ask() {
    for (let tries = 50; tries > 0; tries--) {
      const { socket, text } = open();
      socket.write(RAW);
      for (let left = 20; left > 0 && text() === '' && !socket.destroyed; left--) await sleep(100);
      socket.destroy();
      if (text() !== '') return text();
      await sleep(100);
    }
    return 'no answer';
  },
};

console.log(await attacks[kind]!());
process.exit(0);
