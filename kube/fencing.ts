/**
 * The last gate before the wire. A write may wait in the pool for a connection, and the process may be stopped meanwhile; so
 * the fence is asked once more in the very turn of the event loop in which the request's bytes go to its socket.
 */
import type { Dispatcher } from 'undici';

/** Throws FencedError where this process may not write any more. */
export type Fence = () => void;

export function isWrite(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** The dispatcher, but a write that the fence refuses never reaches its socket, and fails with what the fence threw. */
export function fenceWrites(dispatcher: Dispatcher, fence: Fence): Dispatcher {
  return dispatcher.compose(
    (dispatch) => (options, handler) =>
      dispatch(options, isWrite(options.method) ? new FencedHandler(handler, fence) : handler),
  );
}

type Handler = Dispatcher.DispatchHandler;

class FencedHandler implements Handler {
  readonly #inner: Handler;
  readonly #fence: Fence;

  constructor(inner: Handler, fence: Fence) {
    this.#inner = inner;
    this.#fence = fence;
  }

  /** undici calls this when a connection is free, right before it writes; what is thrown here fails the request unwritten. */
  onRequestStart(...args: Parameters<NonNullable<Handler['onRequestStart']>>): void {
    this.#fence();
    this.#inner.onRequestStart?.(...args);
  }

  onRequestUpgrade(...args: Parameters<NonNullable<Handler['onRequestUpgrade']>>): void {
    this.#inner.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: Parameters<NonNullable<Handler['onResponseStart']>>): void {
    this.#inner.onResponseStart?.(...args);
  }

  onResponseData(...args: Parameters<NonNullable<Handler['onResponseData']>>): void {
    this.#inner.onResponseData?.(...args);
  }

  onResponseEnd(...args: Parameters<NonNullable<Handler['onResponseEnd']>>): void {
    this.#inner.onResponseEnd?.(...args);
  }

  onResponseError(...args: Parameters<NonNullable<Handler['onResponseError']>>): void {
    this.#inner.onResponseError?.(...args);
  }
}
