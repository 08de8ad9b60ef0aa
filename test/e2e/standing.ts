/** Why the product does not come up, in few lines: whoever reads them may have nothing but these. */
import type { Condition } from '../../crds/conditions.ts';
import { cutShort } from '../../crds/text.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { NAMESPACE as RELEASE } from '../chart/render.ts';

type Kubectl = (...argv: string[]) => Promise<string>;

interface Pod extends KubeObject {
  status?: {
    phase?: string;
    containerStatuses?: { name: string; ready: boolean; restartCount: number; state: object }[];
  };
}

const MOST_LINE = 240;
/** Of each program's log. */
const LAST_LINES = 5;

/** What its nodes, pods and logs say, at most a few lines each. Never fails: what can't be read is told as such. */
export async function standing(kubectl: Kubectl): Promise<string> {
  const read = async <T>(...argv: string[]): Promise<T[]> =>
    (JSON.parse(await kubectl('get', ...argv, '-o', 'json')) as { items: T[] }).items;
  const asked = [
    told('slicenodes', async () => (await read<Parameters<typeof nodeLine>[0]>('slicenodes')).map(nodeLine)),
    told('pods', async () => (await read<Pod>('pods', '-n', RELEASE)).map(podLine)),
    ...['node', 'operator'].map((component) =>
      told(`log of ${component}`, async () => {
        const selector = `app.kubernetes.io/component=${component}`;
        return complaints(await kubectl('logs', '-n', RELEASE, '-l', selector, '--all-containers', '--tail=500'));
      }),
    ),
  ];
  return (await Promise.all(asked)).flat().join('\n');
}

async function told(what: string, question: () => Promise<string[]>): Promise<string[]> {
  try {
    const lines = await question();
    return (lines.length > 0 ? lines : ['none']).map((line) => cutShort(`${what}: ${line}`, MOST_LINE));
  } catch (error) {
    return [cutShort(`${what}: can't be read: ${String(error)}`, MOST_LINE)];
  }
}

function nodeLine({ metadata, status }: KubeObject & { status?: { conditions?: Condition[] } }): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return `${metadata.name} ${ready ? `Ready ${ready.status} ${ready.reason}: ${ready.message}` : 'has no condition Ready'}`;
}

function podLine({ metadata, status }: Pod): string {
  const containers = (status?.containerStatuses ?? []).map(
    ({ name, ready, restartCount, state }) =>
      `${name} ${ready ? 'ready' : `not ready ${JSON.stringify(state)}`}, ${restartCount} restarts`,
  );
  return `${metadata.name} ${status?.phase ?? 'unknown'}: ${containers.join('; ')}`;
}

/** The last lines that are no JSON of level info or below. */
function complaints(log: string): string[] {
  const loud = log.split('\n').filter((line) => line !== '' && !/"level":"(info|debug|trace)"/.test(line));
  return loud.slice(-LAST_LINES);
}
