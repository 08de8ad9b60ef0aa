/** What node managers are asked, each by a command in its pod: they are in their nodes' own network. */
import { type ClusterReading, planClusterReading } from '../../crds/clusterreading.ts';
import type { Reading } from '../../crds/reading.ts';
import { formatSensorPath } from '../../crds/sensorpath.ts';
import { parseReading } from '../sensors/parse.ts';
import type { Manager } from './release.ts';
import type { Kubectl } from './run.ts';
import { clean } from './table.ts';

const CONTAINER = 'node-manager';
/** Nodes that are asked at a time. */
const AT_ONCE = 8;

/** Its output. Rejects with KubectlError. */
export function inManager(kubectl: Kubectl, { namespace, pod }: Manager, argv: readonly string[]): Promise<string> {
  return kubectl.read('exec', '--namespace', namespace, pod, '--container', CONTAINER, '--', ...argv);
}

/** Sensors listen on their node's loopback address. A stream has no end, and is told by its type. */
const ASK =
  'fetch(process.argv[1],{signal:AbortSignal.timeout(20000)})' +
  '.then(async r=>{if(!r.ok)throw Error(r.status+" "+await r.text());' +
  'if(!/^application\\/json/.test(r.headers.get("content-type")))throw Error("it is a stream, and has no end: "+' +
  '"follow it on the node, or over the socket of a sliver");process.stdout.write(await r.text())})' +
  '.catch(e=>{console.error(e.message);process.exit(1)})';

/** A sensor on these nodes, put together as the operator does; what others wrote in it moves no cursor. */
export async function askSensor(
  kubectl: Kubectl,
  managers: readonly Manager[],
  parts: readonly string[],
): Promise<ClusterReading> {
  const argv = ['node', '-e', ASK, '--', `http://127.0.0.1:33080${formatSensorPath(parts, 'json')}`];
  const answers = await onAll(managers, async (one) => {
    return parseReading(await inManager(kubectl, one, argv));
  });
  const answered: { node: string; reading: Reading }[] = [];
  const failed: ClusterReading['nodes'] = [];
  for (const [i, answer] of answers.entries()) {
    const { node } = managers[i]!;
    if (!(answer instanceof Error)) answered.push({ node, reading: cleaned(answer) });
    else failed.push({ node, result: 'Failed', error: clean(answer.message) });
  }
  const { reading, nodes } = planClusterReading(answered, Infinity, Date.now());
  return { ...reading, nodes: [...nodes, ...failed] };
}

function cleaned(reading: Reading): Reading {
  const rows = reading.rows.map((row) => row.map((cell) => (typeof cell === 'string' ? clean(cell) : cell)));
  return { ...reading, rows };
}

/** In their order, so many at a time; an Error where one failed. */
export async function onAll<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<(R | Error)[]> {
  const results: (R | Error)[] = [];
  const queue = [...all.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      results[next[0]] = await work(next[1]).catch((error: Error) => error);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
