/** `bench -- sensors`: how soon a node's sensors answer, whether one slow reader slows others, and what Prometheus costs. */
import { fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';
import { measureScrape } from './scrape/measure.ts';

const RATE = 1_000;
const SECONDS = 10;
const WARMING_SECONDS = 3;
const STREAMS = 200;
const ROWS = 300;
const EVERY_MS = 10;

export const bench: Bench = {
  about:
    'sensors: p99 at 1000 requests a second, 200 streams with a slow reader among them, a scrape of 1000 slivers, half a minute; root, clang, gcc',

  async run(report, progress) {
    // a process of its own, as a node manager is: this one's work is not part of what is measured
    const server = fork(new URL('sensors/server.ts', import.meta.url), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    try {
      const port = await new Promise<number>((resolve, reject) => {
        server.once('message', (message) => resolve(message as number));
        server.once('exit', () => reject(new Error('the server ended')));
      });
      progress(`${RATE} requests a second for ${SECONDS} s`);
      // its code is compiled as it runs
      await sendRequests(port, WARMING_SECONDS);
      const times = await sendRequests(port, SECONDS);
      report({ name: 'requests answered', value: times.length, unit: '', bar: { min: RATE * SECONDS } });
      report({ name: `p50 at ${RATE}/s`, value: percentile(times, 50), unit: 'ms' });
      report({ name: `p99 at ${RATE}/s`, value: percentile(times, 99), unit: 'ms', bar: { max: 5 } });
      progress(`${STREAMS} streams`);
      await measureStreams(port, report);
    } finally {
      server.kill();
    }
    await measureScrape(report, progress);
  },
};

/** The time of each answer in ms. Sent by the clock, whether earlier ones are answered or not: so waiting is part of each time. */
async function sendRequests(port: number, seconds: number): Promise<number[]> {
  const connections = await Promise.all(Array.from({ length: 32 }, () => open(port)));
  const times: number[] = [];
  const began = performance.now();
  const pending = connections.map((): number[] => []);
  for (const [i, socket] of connections.entries()) {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\nvalue\r\n'); end >= 0; end = text.indexOf('\r\n\r\nvalue\r\n')) {
        text = text.slice(end + 4);
        times.push(performance.now() - pending[i]!.shift()!);
      }
    });
  }
  for (let sent = 0; sent < RATE * seconds;) {
    const due = Math.min(RATE * seconds, Math.floor(((performance.now() - began) * RATE) / 1000));
    for (; sent < due; sent++) {
      const i = sent % connections.length;
      pending[i]!.push(began + (sent * 1000) / RATE);
      connections[i]!.write('GET /value HTTP/1.1\r\nHost: localhost\r\n\r\n');
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const socket of connections) socket.destroy();
  return times;
}

/** Each row carries the time at which it was made. */
async function measureStreams(port: number, report: Report): Promise<void> {
  const delays: number[] = [];
  const readers = await Promise.all(
    Array.from({ length: STREAMS }, async (_, i) => {
      const socket = await open(port);
      socket.write('GET /observatory.ticks HTTP/1.1\r\nHost: localhost\r\n\r\n');
      let rows = 0;
      if (i === 0) socket.pause();
      else {
        socket.on('data', (chunk) => {
          const now = Date.now();
          for (const [, time] of chunk.toString('latin1').matchAll(/^(\d{13}),/gm)) {
            rows++;
            delays.push(now - Number(time));
          }
        });
      }
      return { socket, rows: () => rows };
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, ROWS * EVERY_MS));
  const [slow, ...others] = readers;
  const going = others.filter(({ socket }) => !socket.destroyed && !socket.readableEnded).length;
  report({
    name: 'streams open beside a reader that does not read',
    value: going,
    unit: '',
    bar: { min: STREAMS - 1 },
  });
  report({
    name: 'rows that the slowest of them got',
    value: Math.min(...others.map(({ rows }) => rows())),
    unit: '',
    bar: { min: ROWS / 2 },
  });
  report({ name: 'p99 from a row to its readers', value: percentile(delays, 99), unit: 'ms', bar: { max: 100 } });
  slow!.socket.destroy();
  for (const { socket } of others) socket.destroy();
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}
