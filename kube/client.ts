/**
 * Requests to the API server over a few pooled connections. client-node's own API classes open a connection pool for every
 * request and never close it (1044 sockets at concurrency 100), so it gives us credentials and types, and undici the rest.
 */
import { Agent, type Dispatcher } from 'undici';
import { loadCredentials, type Credentials } from './credentials.ts';
import { ApiError, isStatus } from './errors.ts';
import { resourceOf, resourcePath, type KubeObject, type ObjectRef, type Resource } from './resources.ts';

/** Server-side apply: whose fields these are. Objects and their status need two managers, or a 1.20 server mixes them up. */
export interface ApplyOptions {
  fieldManager: string;
  /** Take fields over from other managers. */
  force?: boolean;
  subresource?: 'status';
}

export interface ClientOptions {
  kubeconfig?: string | undefined;
  userAgent?: string;
  /** Called before each request that writes; throws FencedError where this process may not write any more. */
  fence?: () => void;
  /** Called after each request with its verb and status (0 where there was no answer). */
  onRequest?: (verb: string, status: number) => void;
  /** In tests: wraps what carries requests, to lose answers and the like. */
  wrapDispatcher?: (dispatcher: Dispatcher) => Dispatcher;
  /** Most requests at a time; more wait. */
  connections?: number;
}

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
const MAX_BODY = 256 * 1024 * 1024;
const APPLY = 'application/apply-patch+yaml';

export class ApiClient {
  readonly #credentials: Credentials;
  readonly #options: ClientOptions;
  readonly #dispatcher: Dispatcher;
  /** Watches hold their connections for minutes; in a pool of their own they starve nobody. */
  readonly #watchDispatcher: Dispatcher;

  constructor(credentials: Credentials, options: ClientOptions = {}) {
    this.#credentials = credentials;
    this.#options = options;
    const wrap = options.wrapDispatcher ?? ((dispatcher) => dispatcher);
    const connect = { ...credentials.tls, keepAlive: true, keepAliveInitialDelay: 15_000, timeout: 10_000 };
    this.#dispatcher = wrap(new Agent({ connections: options.connections ?? 16, allowH2: false, connect }));
    this.#watchDispatcher = wrap(
      new Agent({ connections: null, allowH2: false, connect, headersTimeout: TIMEOUT_MS, bodyTimeout: 0 }),
    );
  }

  /** The parsed answer. Throws ApiError for a refusal; other errors mean that nobody knows whether the server did it. */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    if (method !== 'GET') this.#options.fence?.();
    const send = async () => {
      const { statusCode, headers, body } = await this.#send(this.#dispatcher, method, path, options);
      const text = await readBounded(body, `${method} ${path}`);
      if (statusCode >= 300) {
        throw new ApiError(`${method} ${path}`, statusCode, text, headers['retry-after'] as string | undefined);
      }
      return (text === '' ? undefined : JSON.parse(text)) as T;
    };
    try {
      return await send();
    } catch (error) {
      if (!isStatus(error, 401)) throw error;
      // the token was replaced under us: once more with the new one
      this.#credentials.refresh();
      if (method !== 'GET') this.#options.fence?.();
      return await send();
    }
  }

  /** The body of a watch, as it comes. The caller ends it with its signal. */
  async stream(path: string, query: RequestOptions['query'], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { statusCode, headers, body } = await this.#send(this.#watchDispatcher, 'GET', path, {
      query,
      signal,
      timeoutMs: Infinity,
    });
    if (statusCode < 300) return body;
    const text = await readBounded(body, `WATCH ${path}`);
    if (statusCode === 401) this.#credentials.refresh();
    throw new ApiError(`WATCH ${path}`, statusCode, text, headers['retry-after'] as string | undefined);
  }

  /** The object, or undefined where there is none of that name. */
  async get<T extends KubeObject>(resource: Resource, ref: ObjectRef, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await this.request<T>('GET', resourcePath(resource, ref), { signal });
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Creates the object; a name that is taken is an ApiError for which `isAlreadyExists` is true. */
  create<T extends KubeObject>(object: T, options: { fieldManager?: string; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>('POST', resourcePath(resourceOf(object), { namespace: object.metadata.namespace }), {
      body: object,
      query: { fieldManager: options.fieldManager },
      signal: options.signal,
    });
  }

  /**
   * Server-side apply. With `metadata.uid` it is for that very object: where another has taken its name, or it is gone,
   * the server answers 409 and nothing is made.
   */
  apply<T extends KubeObject>(object: T, options: ApplyOptions, signal?: AbortSignal): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.request<T>(
      'PATCH',
      resourcePath(resourceOf(object), {
        namespace,
        name,
        ...(options.subresource && { subresource: options.subresource }),
      }),
      {
        body: object,
        contentType: APPLY,
        query: { fieldManager: options.fieldManager, force: options.force ?? false },
        signal,
      },
    );
  }

  /** A JSON merge patch; `metadata.resourceVersion` in it makes it conditional. */
  patch<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    patch: object,
    options: { subresource?: string; fieldManager?: string; signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.request<T>(
      'PATCH',
      resourcePath(resource, { ...ref, ...(options.subresource && { subresource: options.subresource }) }),
      {
        body: patch,
        contentType: 'application/merge-patch+json',
        query: { fieldManager: options.fieldManager },
        signal: options.signal,
      },
    );
  }

  /** Deletes that very object; false where it was gone already, or its name is another object's by now. */
  async remove(
    resource: Resource,
    ref: Required<ObjectRef> | ObjectRef,
    options: {
      propagation?: 'Background' | 'Foreground' | 'Orphan';
      gracePeriodSeconds?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<boolean> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(ref.uid && { preconditions: { uid: ref.uid } }),
      ...(options.propagation && { propagationPolicy: options.propagation }),
      ...(options.gracePeriodSeconds !== undefined && { gracePeriodSeconds: options.gracePeriodSeconds }),
    };
    try {
      await this.request('DELETE', resourcePath(resource, ref), { body, signal: options.signal });
      return true;
    } catch (error) {
      if (isStatus(error, 404, 409)) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#dispatcher.destroy(), this.#watchDispatcher.destroy()]);
  }

  async #send(dispatcher: Dispatcher, method: string, path: string, options: RequestOptions) {
    const authorization = await this.#credentials.authorization();
    const query = Object.entries(options.query ?? {}).filter(([, value]) => value !== undefined);
    const timeout = options.timeoutMs ?? TIMEOUT_MS;
    const signals = [options.signal, timeout === Infinity ? undefined : AbortSignal.timeout(timeout)];
    const search =
      query.length > 0
        ? `?${new URLSearchParams(query.map(([k, v]) => [k, String(v)] as [string, string])).toString()}`
        : '';
    const verb = method === 'GET' && options.timeoutMs === Infinity ? 'WATCH' : method;
    try {
      const url = new URL(this.#credentials.server);
      const response = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname.replace(/\/$/, '')}${path}${search}`,
        method,
        headers: {
          accept: 'application/json',
          'user-agent': this.#options.userAgent ?? 'slice-operator',
          ...(authorization && { authorization }),
          ...(options.body !== undefined && { 'content-type': options.contentType ?? 'application/json' }),
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
      });
      this.#options.onRequest?.(verb, response.statusCode);
      return response;
    } catch (error) {
      this.#options.onRequest?.(verb, 0);
      throw new Error(`${verb} ${path}: no answer from ${this.#credentials.server}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** A client for the cluster of this kubeconfig; without one, of the environment or the pod's service account. */
export async function createClient(options: ClientOptions = {}): Promise<ApiClient> {
  return new ApiClient(await loadCredentials(options.kubeconfig), options);
}

async function readBounded(body: AsyncIterable<Buffer>, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`${what}: the answer is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
