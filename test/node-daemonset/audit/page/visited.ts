/** A node's page and whoever visits it: over HTTP, with the node manager's socket behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Listening } from '../../../../kube/listen.ts';
import type { FlowLog } from '../../../../node-daemonset/audit/flowlog.ts';
import { servePage, type Limits } from '../../../../node-daemonset/audit/page/server.ts';
import { openSource } from '../../../../node-daemonset/audit/page/source.ts';
import { type PageSettings, serveAudit } from '../../../../node-daemonset/audit/server.ts';
import { makeIdentity, RecordedNode } from '../flows.ts';

export const HOSTILE = `"><script>alert('1')</script><img src=x onerror=alert(2)>&amp;\u202e`;

export const SETTINGS: PageSettings = { node: 'node1', listen: undefined, contact: HOSTILE, description: HOSTILE };

/** Three slices sent to 192.0.2.1, one to 2001:db8::7, and one nobody knows whereto. */
export class VisitedPage {
  readonly directory = mkdtempSync(join(tmpdir(), 'page-'));
  readonly node = new RecordedNode();
  readonly #socket = join(this.directory, 'query.sock');
  #log!: FlowLog;
  #manager!: { close(): Promise<void> };
  #page!: Listening;

  async start(): Promise<void> {
    const { node } = this;
    const log = node.open();
    this.#log = log;
    await log.start();
    node.identities.set(2, makeIdentity('mean', { contact: HOSTILE }));
    node.identities.set(3, makeIdentity('formula', { contact: '=HYPERLINK("http://evil")' }));
    for (const sliver of [1, 2, 3]) node.sends({ sliver, bytes: 1000 * sliver });
    node.sends({ sliver: 1, destination: '2001:db8::7', bytes: 50 });
    node.sends({ sliver: 2, protocol: 255, source: '', destination: '', bytes: 40 });
    await log.drain();
    const settings = (): PageSettings => SETTINGS;
    this.#manager = await serveAudit({
      socket: this.#socket,
      group: undefined,
      flows: log,
      settings,
      now: () => node.now,
    });
    this.#page = await this.publish();
  }

  async stop(): Promise<void> {
    await this.#page.close();
    await this.#manager.close();
    await this.#log.stop();
    for (const one of [this.directory, this.node.directory]) rmSync(one, { recursive: true });
  }

  /** The same once more, with limits of its own. */
  publish(limits: Partial<Limits> = {}): Promise<Listening> {
    return servePage({
      source: openSource(this.#socket),
      address: '127.0.0.1',
      port: 0,
      now: () => this.node.now,
      limits,
    });
  }

  get(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#page.port}${path}`, init);
  }

  async text(path: string): Promise<string> {
    return (await this.get(path)).text();
  }

  /** Sends bytes as they are, and returns what comes back until the other side closes. */
  raw(bytes: string | Buffer, port = this.#page.port, localAddress = '127.0.0.1'): Promise<string> {
    return new Promise((resolve, reject) => {
      const client = connect({ port, host: '127.0.0.1', localAddress }, () => client.write(bytes));
      let answer = '';
      client.setTimeout(15_000, () => reject(new Error('no answer and no end')));
      client.on('data', (chunk) => (answer += chunk.toString('latin1')));
      client.on('error', () => resolve(answer));
      client.on('close', () => resolve(answer));
    });
  }
}
