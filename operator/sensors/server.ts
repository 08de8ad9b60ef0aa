/** Answers `/<sensor>/<arguments>` for the whole cluster, over HTTP: one table with a column for the node. */
import { clusterReadingCsv } from '../../crds/clusterreading.ts';
import { parseSensorPath } from '../../crds/sensorpath.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { Listening } from '../../kube/listen.ts';
import type { Log } from '../../kube/log.ts';
import { type Answer, type AskedQuestion, CSV, JSON_TYPE, RefusedError, serveQuestions } from '../fanout/server.ts';
import type { SensorAsker } from './ask.ts';

export interface ClusterSensorsOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string | undefined;
  sliceNodes(): readonly SliceNode[];
  asker: SensorAsker;
  log: Log;
}

/** Rejects where the port can't be had. */
export async function serveClusterSensors(options: ClusterSensorsOptions): Promise<Listening> {
  const { port, host, log } = options;
  return await serveQuestions({ port, host, log, answer: (question) => answer(options, question) });
}

/** `?node=` names the nodes to ask, as often as there are some; without it all are asked. */
async function answer(
  { sliceNodes, asker }: ClusterSensorsOptions,
  { path, search, accept, inTurn }: AskedQuestion,
): Promise<Answer> {
  const asked = parseSensorPath(path, accept);
  if (!asked) throw new RefusedError(400, 'the address is no /<sensor>/<argument>...');
  const wanted = new Set(new URLSearchParams(search).getAll('node'));
  const found = await inTurn(() => asker.ask(asked.parts, chosen(sliceNodes(), wanted)));
  if (asked.form === 'csv') return { type: CSV, text: clusterReadingCsv(found) };
  return { type: JSON_TYPE, text: `${JSON.stringify(found)}\n` };
}

function chosen(sliceNodes: readonly SliceNode[], wanted: ReadonlySet<string>): readonly SliceNode[] {
  if (wanted.size === 0) return sliceNodes;
  const some = sliceNodes.filter(({ metadata }) => wanted.has(metadata.name));
  if (some.length < wanted.size) throw new RefusedError(404, 'there is no node of one of these names');
  return some;
}
