/** One watch: its events, line by line, until the server ends it or it has been silent for too long. */
import type { ApiClient } from './client.ts';
import { ApiError } from './errors.ts';
import type { KubeObject } from './resources.ts';

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/**
 * How long a watch may bring nothing, not even a bookmark. Servers send one a minute, before 1.21 only of what changes; a
 * connection that is half open brings nothing, for ever. To start over costs one request.
 */
export const SILENCE_MS = 150_000;
const MAX_LINE = 8 * 1024 * 1024;

/** Nothing came, not even a bookmark: there was nothing to tell, or the connection is half open. */
export class SilentWatchError extends Error {
  override readonly name = 'SilentWatchError';
}

/** Throws ApiError for an ERROR event (410: list again), SilentWatchError, and whatever breaks the connection. */
export async function* watchEvents<T extends KubeObject>(
  client: ApiClient,
  path: string,
  query: Record<string, string | number | boolean | undefined>,
  signal: AbortSignal,
  silenceMs = SILENCE_MS,
): AsyncGenerator<WatchEvent<T>> {
  const silence = new AbortController();
  const onSilence = () => silence.abort();
  let timer = setTimeout(onSilence, silenceMs);
  const decoder = new TextDecoder();
  let rest = '';
  try {
    const body = await client.stream(
      path,
      { ...query, watch: true, allowWatchBookmarks: true },
      AbortSignal.any([signal, silence.signal]),
    );
    for await (const chunk of body) {
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      if (rest.length > MAX_LINE)
        throw new Error(`the watch of ${path} sent a line of more than ${MAX_LINE} characters`);
      for (const line of lines) if (line !== '') yield parseEvent<T>(path, line);
    }
    // a stream that ends within a line was cut: what is missing comes again from the last resource version
  } catch (error) {
    if (silence.signal.aborted) throw new SilentWatchError(`the watch of ${path} was silent for ${silenceMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function parseEvent<T>(path: string, line: string): WatchEvent<T> {
  const event = JSON.parse(line) as { type: string; object: { code?: number } };
  if (event.type === 'ERROR')
    throw new ApiError(`WATCH ${path}`, event.object.code ?? 500, JSON.stringify(event.object));
  return event as unknown as WatchEvent<T>;
}
