/**
 * Requests over a few pooled connections. client-node's own API classes open a connection pool for every request and never
 * close it (1044 sockets at concurrency 100), so it gives us credentials, and undici the rest.
 */
import { Agent, type Dispatcher } from 'undici';
import type { Credentials } from './credentials.ts';
import { ApiError, FencedError, isStatus, TooLargeError } from './errors.ts';
import { fenceWrites, isWrite, type Fence } from './fencing.ts';

export interface TransportOptions {
  userAgent?: string;
  /** Asked before each request that writes, and again right before it goes to its socket; throws FencedError to refuse it. */
  fence?: Fence;
  /** Ends writes under way when it fires: a leader's lease has passed, and nobody may wait for them any more. */
  lost?: AbortSignal;
  /** Called after each request with its verb and status (0 where there was no answer). */
  onRequest?: (verb: string, status: number) => void;
  /**
   * The seam for faults: wraps what carries requests (`dispatcher.compose(...)` loses answers, delays, refuses). The fence stays
   * inside, next to the socket, so that no fault can go round it.
   */
  wrapDispatcher?: (dispatcher: Dispatcher) => Dispatcher;
  /** Most requests at a time; more wait. */
  connections?: number;
  /** The largest answer that is read, in bytes. */
  maxBody?: number;
}

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
/** Below the 90 s after which Go's servers close idle connections; undici's own 4 s would mean a handshake for most writes. */
const IDLE_MS = 60_000;
/** One object has 3 MiB at most; parsed, an answer takes several times its size of a memory that is limited. */
const MAX_BODY = 16 * 1024 * 1024;

export class Transport {
  readonly #credentials: Credentials;
  readonly #options: TransportOptions;
  readonly #dispatcher: Dispatcher;
  /** Watches hold their connections for minutes; in a pool of their own they starve nobody. */
  readonly #watchDispatcher: Dispatcher;

  constructor(credentials: Credentials, options: TransportOptions = {}) {
    this.#credentials = credentials;
    this.#options = options;
    const wrap = options.wrapDispatcher ?? ((dispatcher) => dispatcher);
    const connect = { ...credentials.tls, keepAlive: true, keepAliveInitialDelay: 15_000, timeout: 10_000 };
    const pool = new Agent({
      connections: options.connections ?? 16,
      allowH2: false,
      connect,
      keepAliveTimeout: IDLE_MS,
    });
    this.#dispatcher = wrap(options.fence ? fenceWrites(pool, options.fence) : pool);
    this.#watchDispatcher = wrap(
      new Agent({ connections: null, allowH2: false, connect, headersTimeout: TIMEOUT_MS, bodyTimeout: 0 }),
    );
  }

  /** The parsed answer. Throws ApiError for a refusal; other errors mean that nobody knows whether the server did it. */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    try {
      return await this.#exchange<T>(method, path, options);
    } catch (error) {
      if (!isStatus(error, 401)) throw error;
      // the token was replaced under us: once more with the new one
      this.#credentials.refresh();
      return await this.#exchange<T>(method, path, options);
    }
  }

  /** The body of a watch, as it comes. The caller ends it with its signal. */
  async stream(path: string, query: RequestOptions['query'], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#send(this.#watchDispatcher, 'WATCH', path, { query, signal, timeoutMs: Infinity });
    if (response.statusCode < 300) return response.body;
    if (response.statusCode === 401) this.#credentials.refresh();
    throw await this.#refusal('WATCH', path, response);
  }

  async close(): Promise<void> {
    await Promise.all([this.#dispatcher.destroy(), this.#watchDispatcher.destroy()]);
  }

  async #exchange<T>(method: string, path: string, options: RequestOptions): Promise<T> {
    if (isWrite(method)) this.#options.fence?.();
    const response = await this.#send(this.#dispatcher, method, path, options);
    if (response.statusCode >= 300) throw await this.#refusal(method, path, response);
    try {
      const text = await readBounded(response.body, this.#options.maxBody);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    } catch (error) {
      if (error instanceof TooLargeError) throw new TooLargeError(`${method} ${path}: ${error.message}`);
      throw new Error(`${method} ${path}: the answer broke off: ${reasonOf(error)}`, { cause: error });
    }
  }

  async #send(dispatcher: Dispatcher, verb: string, path: string, options: RequestOptions) {
    const method = verb === 'WATCH' ? 'GET' : verb;
    const signals = [options.signal, isWrite(method) ? this.#options.lost : undefined];
    const timeout = options.timeoutMs ?? TIMEOUT_MS;
    if (timeout !== Infinity) signals.push(AbortSignal.timeout(timeout));
    const query = Object.entries(options.query ?? {}).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const search = query.length > 0 ? `?${new URLSearchParams(query).toString()}` : '';
    const authorization = await this.#credentials.authorization();
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
        body: options.body === undefined ? null : encode(options.body),
        signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
      });
      this.#options.onRequest?.(verb, response.statusCode);
      return response;
    } catch (error) {
      if (error instanceof FencedError) throw error;
      this.#options.onRequest?.(verb, 0);
      throw new Error(`${verb} ${path}: no answer from ${this.#credentials.server}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  async #refusal(
    verb: string,
    path: string,
    { statusCode, headers, body }: Dispatcher.ResponseData,
  ): Promise<ApiError> {
    // a refusal whose text broke off is a refusal all the same
    const text = await readBounded(body).catch(reasonOf);
    const retryAfter = headers['retry-after'];
    return new ApiError(`${verb} ${path}`, statusCode, text, typeof retryAfter === 'string' ? retryAfter : undefined);
  }
}

async function readBounded(body: AsyncIterable<Buffer>, most = MAX_BODY): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) throw new TooLargeError(`the answer is larger than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * As JSON. Half a character, which JSON writes as an escape, would have a server refuse all of an apply, as it reads that as YAML:
 * whoever wrote it, it becomes the sign for what can't be shown.
 */
function encode(body: unknown): string {
  const text = JSON.stringify(body);
  if (!/\\ud[89a-f]/.test(text)) return text;
  return JSON.stringify(body, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value));
}
