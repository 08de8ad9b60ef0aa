/** The record of flows as a part of the node manager: what it is made from, and who may ask it. */
import type { Logger } from 'pino';
import type { Policy } from '../admission/policy.ts';
import type { RawFlow } from '../bpf/kernel.ts';
import type { NodeState } from '../checkpoint.ts';
import { PAGE_GROUP } from '../config.ts';
import type { FlowQuery } from '../../crds/flowquery.ts';
import type { FlowAnswer } from '../../crds/flows.ts';
import type { PublishedPage } from '../../crds/types.ts';
import type { Problem } from '../sliver.ts';
import { Archive } from './archive.ts';
import { identitiesOf } from './flow.ts';
import { FlowLog } from './flowlog.ts';
import { answerFlows } from './answer.ts';
import { ask, type PageSettings, serveAudit } from './server.ts';

export interface AuditParts {
  nodeName: string;
  /** Where the archive is. */
  directory: string;
  /** Where the page asks; undefined where there is none on this node. */
  socket: string | undefined;
  /** An address of the node by which others reach it; undefined where it is not known. */
  nodeAddress: string | undefined;
  /** Throws where the kernel's tables can't be emptied. */
  drain(): RawFlow[];
  state(): NodeState;
  policy(): Policy | undefined;
  log: Logger;
}

export interface Audit {
  problems(): Problem[];
  /** Where the page is; undefined where nothing is published. */
  page(): PublishedPage | undefined;
  /** What the record says. */
  ask(query: FlowQuery): Promise<FlowAnswer>;
  /** What was sent until now is on the disk when it resolves. */
  close(): Promise<void>;
}

/** What is kept before the owner's policy is known. */
const KEEP = { bytes: 2 ** 29, ageMs: 7 * 86_400_000 };

export async function startAudit(parts: AuditParts): Promise<Audit> {
  const { nodeName, policy } = parts;
  const flows = new FlowLog({
    nodeName,
    archive: new Archive(parts.directory),
    drain: parts.drain,
    identities: () => identitiesOf(parts.state().pods, parts.state().ledger),
    retention() {
      const audit = policy()?.audit;
      return audit ? { bytes: audit.keepBytes, ageMs: audit.keepMs } : KEEP;
    },
    log: parts.log,
    now: Date.now,
    kernelNow: process.hrtime.bigint,
    random: () => Math.floor(Math.random() * 2 ** 32),
  });
  // an hour of it is read back meanwhile: no pod waits for that
  const started = flows.start().catch((error: Error) => parts.log.error({ err: error }, 'flows are not recorded'));
  const settings = (): PageSettings => {
    const { address = '', port, contact = '', description = '' } = policy()?.audit.page ?? {};
    return { node: nodeName, listen: port === undefined ? undefined : { address, port }, contact, description };
  };
  const server =
    parts.socket === undefined
      ? undefined
      : await serveAudit({
          socket: parts.socket,
          group: PAGE_GROUP,
          flows,
          settings,
          now: Date.now,
        });
  return {
    problems: () => flows.problems(),
    page() {
      const page = policy()?.audit.page;
      if (!server || !page) return undefined;
      const everywhere = page.address === undefined || /^[0:.]*$/.test(page.address);
      const address = everywhere ? parts.nodeAddress : page.address;
      return address === undefined ? undefined : { address, port: page.port };
    },
    ask: async (query) => (await ask({ flows, settings }, query, answerFlows)) as FlowAnswer,
    async close() {
      await server?.close();
      await started;
      await flows.stop();
    },
  };
}
