/**
 * As much of an API server as an informer and a client can tell from one, in this process, so that a fault comes at an exact
 * instant: objects with versions and uids, pages, watches from a version, and a list of faults for the requests to come.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ApiClient, type ClientOptions } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/resources.ts';

export interface Seen {
  /** The verb; `LIST` and `WATCH` are told apart from `GET`. */
  verb: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
  authorization: string | undefined;
}

export interface Exchange extends Seen {
  response: ServerResponse;
  /** Does what was asked, without answering. */
  accept: () => { status: number; body: unknown };
  /** Does what was asked, and answers. */
  proceed: () => void;
}

interface Fault {
  verb: string;
  times: number;
  act: (exchange: Exchange) => void;
}

interface Event {
  type: string;
  plural: string;
  version: number;
  object: KubeObject;
}

interface Watch {
  plural: string;
  response: ServerResponse;
}

const PATH = /^\/apis?\/(?:[^/]+\/)?v[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/status)?$/;

export const status = (code: number, reason: string, message = reason) => ({
  apiVersion: 'v1',
  kind: 'Status',
  code,
  reason,
  message,
});

export class FakeServer {
  readonly seen: Seen[] = [];
  readonly watches = new Set<Watch>();
  /** Most sockets that were open at a time. */
  mostSockets = 0;
  /** Requests with any other are answered 401. */
  token: string | undefined;
  readonly #http: Server;
  readonly #dir = mkdtempSync(join(tmpdir(), 'slice-fake-server-'));
  readonly #objects = new Map<string, KubeObject>();
  readonly #faults: Fault[] = [];
  readonly #clients: ApiClient[] = [];
  #history: Event[] = [];
  #forgotten = 0;
  #version = 100;
  #uids = 0;
  #sockets = 0;

  constructor() {
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#http.on('connection', (socket) => {
      this.mostSockets = Math.max(this.mostSockets, ++this.#sockets);
      socket.on('close', () => this.#sockets--);
      socket.on('error', () => undefined);
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** A client that reads its token from a file, as a pod does. */
  async client(options: Omit<ClientOptions, 'kubeconfig'> = {}): Promise<ApiClient> {
    const { port } = this.#http.address() as AddressInfo;
    this.writeToken(this.token ?? 'first');
    const kubeconfig = join(this.#dir, 'kubeconfig');
    const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile: join(this.#dir, 'token') } } };
    // client-node speaks plain HTTP only to who has asked for no security
    const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'f', cluster }],
      users: [{ name: 'f', user }],
      contexts: [{ name: 'f', context: { cluster: 'f', user: 'f' } }],
      'current-context': 'f',
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
    const client = await createClient({ ...options, kubeconfig });
    this.#clients.push(client);
    return client;
  }

  /** What the kubelet does when a token is about to expire. */
  writeToken(token: string): void {
    writeFileSync(join(this.#dir, 'token'), token);
  }

  /** The next so many requests of that verb (`ANY` is all) meet this instead. */
  fault(verb: string, act: Fault['act'], times = 1): void {
    this.#faults.push({ verb, times, act });
  }

  /** As `fault`: they are refused so. */
  refuse(verb: string, code: number, reason: string, times = 1, headers: Record<string, string> = {}): void {
    this.fault(verb, ({ response }) => answer(response, code, status(code, reason), headers), times);
  }

  count(verb: string): number {
    return this.seen.filter((one) => one.verb === verb).length;
  }

  /** A ConfigMap of that name, made or changed. */
  put(name: string, data: Record<string, string> = {}, namespace = 'ns'): KubeObject {
    const known = this.#objects.get(`configmaps ${namespace}/${name}`);
    const metadata = { ...known?.metadata, namespace, name };
    return this.#store('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } as KubeObject);
  }

  remove(name: string, namespace = 'ns'): void {
    this.#delete('configmaps', `configmaps ${namespace}/${name}`);
  }

  list(plural = 'configmaps'): KubeObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${plural} `)).map(([, object]) => object);
  }

  /** Versions so far are too old to go on from, as after a compaction. */
  forgetHistory(): void {
    this.#history = [];
    this.#forgotten = ++this.#version;
  }

  /** What is open is never written to again, nor closed: the other half of the connection is gone. */
  abandonWatches(): void {
    this.watches.clear();
  }

  #store(plural: string, object: KubeObject): KubeObject {
    const key = keyed(plural, object.metadata.namespace, object.metadata.name);
    const type = this.#objects.has(key) ? 'MODIFIED' : 'ADDED';
    const uid = this.#objects.get(key)?.metadata.uid ?? `uid-${++this.#uids}`;
    const version = ++this.#version;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } };
    this.#objects.set(key, stored);
    this.#publish({ type, plural, version, object: stored });
    return stored;
  }

  #delete(plural: string, key: string): KubeObject {
    const object = this.#objects.get(key)!;
    this.#objects.delete(key);
    const version = ++this.#version;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    this.#publish({ type: 'DELETED', plural, version, object: last });
    return last;
  }

  #publish(event: Event): void {
    this.#history.push(event);
    for (const watch of this.watches) if (watch.plural === event.plural) watch.response.write(line(event));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://localhost');
    const [, namespace, plural, name] = PATH.exec(url.pathname) ?? [];
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const watching = url.searchParams.get('watch') === 'true';
    const verb = request.method !== 'GET' || name ? request.method! : watching ? 'WATCH' : 'LIST';
    const { authorization } = request.headers;
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const seen: Seen = { verb, path: url.pathname, query: url.searchParams, body, authorization };
    this.seen.push(seen);
    if (this.token && authorization !== `Bearer ${this.token}`) {
      answer(response, 401, status(401, 'Unauthorized'));
      return;
    }
    const accept = () => this.#act(seen, plural!, namespace, name);
    const proceed = () => {
      if (verb === 'WATCH') return this.#watch(url.searchParams, plural!, response);
      const { status, body } = accept();
      answer(response, status, body);
    };
    const fault = this.#faults.find((one) => one.times > 0 && (one.verb === verb || one.verb === 'ANY'));
    if (!fault) return proceed();
    fault.times--;
    fault.act({ ...seen, response, accept, proceed });
  }

  #watch(query: URLSearchParams, plural: string, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (from < this.#forgotten) {
      response.end(line({ type: 'ERROR', object: status(410, 'Expired') }));
      return;
    }
    for (const event of this.#history) {
      if (event.version > from && event.plural === plural) response.write(line(event));
    }
    const watch = { plural, response };
    this.watches.add(watch);
    response.on('close', () => this.watches.delete(watch));
  }

  #act({ verb, query, body }: Seen, plural: string, namespace: string | undefined, name: string | undefined) {
    if (verb === 'LIST') return { status: 200, body: this.#page(query, plural, namespace) };
    const given = body as (KubeObject & { preconditions?: { uid: string } }) | undefined;
    const key = keyed(plural, namespace, name ?? given!.metadata.name);
    const known = this.#objects.get(key);
    if (verb === 'POST') {
      if (known) return { status: 409, body: status(409, 'AlreadyExists') };
      return { status: 201, body: this.#store(plural, given!) };
    }
    // server-side apply makes what is not there, but not what was there
    if (!known && query.has('force')) {
      if (given!.metadata.uid) return { status: 409, body: status(409, 'Conflict') };
      return { status: 201, body: this.#store(plural, given!) };
    }
    if (!known) return { status: 404, body: status(404, 'NotFound') };
    if (verb === 'GET') return { status: 200, body: known };
    if (verb === 'DELETE') {
      const uid = given?.preconditions?.uid;
      if (uid && uid !== known.metadata.uid) {
        return { status: 409, body: status(409, 'Conflict', `UID in precondition: ${uid}`) };
      }
      return { status: 200, body: this.#delete(plural, key) };
    }
    const expected = given?.metadata?.resourceVersion;
    if (expected && expected !== known.metadata.resourceVersion) {
      return { status: 409, body: status(409, 'Conflict') };
    }
    const metadata = { ...known.metadata, ...given!.metadata };
    return { status: 200, body: this.#store(plural, { ...known, ...given!, metadata }) };
  }

  #page(query: URLSearchParams, plural: string, namespace: string | undefined) {
    const all = this.list(plural).filter((one) => !namespace || one.metadata.namespace === namespace);
    const start = Number(query.get('continue') ?? 0);
    const end = start + Number(query.get('limit') ?? all.length);
    const metadata = { resourceVersion: String(this.#version), ...(end < all.length && { continue: String(end) }) };
    // items of a list say neither their kind nor their version
    const items = all.slice(start, end).map(({ apiVersion: _1, kind: _2, ...item }) => item);
    return { kind: 'List', apiVersion: 'v1', metadata, items };
  }
}

const keyed = (plural: string, namespace = '', name = '') => `${plural} ${namespace}/${name}`;
const line = ({ type, object }: { type: string; object: unknown }) => `${JSON.stringify({ type, object })}\n`;

export function answer(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
