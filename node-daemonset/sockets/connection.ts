/** One connection to a sliver's socket: a line in, a line out, one after the other, until it becomes a sniffer's stream. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { BOUNDS } from './bounds.ts';
import { closeSocket, sendWith } from './libc.ts';
import { type Answer, MAX_REQUEST_BYTES, type Opened, parseRequest, Refusal, type SocketRequest } from './request.ts';
import type { Stream } from './sniffers.ts';

export interface ConnectionParts {
  /** Ms that the sliver must wait before its next request is heard. */
  throttle(): number;
  /** Opens what is asked for; it is closed here. */
  open(request: SocketRequest): Promise<Result>;
  onClose(): void;
  log: Pick<Logger, 'error'>;
}

/** A descriptor to pass, or a stream that begins when the answer is out. Whoever has a result closes what is in it. */
export type Result = { opened: Opened } & ({ fd: number } | { stream: Stream });

export function closeResult(result: Result): void {
  if ('fd' in result) closeSocket(result.fd);
  else result.stream.close();
}

/** What may go on over a connection when its sliver's rights change. */
export interface Connection {
  /** What it streams; undefined while it is not a sniffer's. */
  readonly streaming: Opened | undefined;
  /** Says why and closes. */
  end(refusal: Refusal): void;
  destroy(): void;
}

/** Node has no other way to a socket's descriptor, and no way of its own to pass one over it. */
export function descriptorOf(socket: Socket): number {
  // oxlint-disable-next-line eslint/no-underscore-dangle
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

/** Speaks with whoever connected, until either side has enough. */
export function serveConnection(socket: Socket, parts: ConnectionParts): Connection {
  const fd = descriptorOf(socket);
  let pending = Buffer.alloc(0);
  let busy = false;
  let streaming: Opened | undefined;
  let stream: Stream | undefined;

  const idle = setTimeout(() => {
    if (!busy) end(new Refusal('ETIMEDOUT', `no request within ${BOUNDS.idleMs} ms`));
  }, BOUNDS.idleMs);
  /** Nothing waits for a reader here: who does not read his answers has no use for more of them. */
  const answer = (what: Answer, passed?: number): boolean => {
    if (socket.destroyed) return false;
    try {
      return sendWith(fd, Buffer.from(`${JSON.stringify(what)}\n`), passed);
    } catch {
      return false;
    }
  };
  const refuse = ({ code, message }: Refusal): boolean => answer({ error: { code, message } });
  const end = (refusal: Refusal): void => {
    if (!streaming) refuse(refusal);
    socket.destroySoon();
  };

  const handle = async (line: string): Promise<void> => {
    const result = await parts.open(parseRequest(line));
    if (!answer({ ok: result.opened }, 'fd' in result ? result.fd : undefined)) socket.destroy();
    if ('fd' in result || socket.destroyed) {
      closeResult(result);
      return;
    }
    clearTimeout(idle);
    streaming = result.opened;
    stream = result.stream;
    stream.start(socket);
  };

  /** The first line of what came; undefined where there is only half of one. */
  const takeLine = (): string | undefined => {
    const at = pending.indexOf('\n');
    if ((at < 0 ? pending.length : at) > MAX_REQUEST_BYTES) {
      throw new Refusal('E2BIG', `a request has at most ${MAX_REQUEST_BYTES} bytes`);
    }
    if (at < 0) return undefined;
    const line = pending.subarray(0, at).toString();
    pending = pending.subarray(at + 1);
    return line;
  };

  /** Answers every whole line; nothing more is read from the sliver meanwhile. */
  const work = async (): Promise<void> => {
    for (let line = takeLine(); line !== undefined; line = streaming ? undefined : takeLine()) {
      await pause(parts.throttle());
      if (socket.destroyed) return;
      await handle(line).catch((error: Error) => {
        if (!(error instanceof Refusal)) parts.log.error({ err: error }, 'socket request failed');
        const told = error instanceof Refusal ? error : new Refusal('EIO', 'the node manager failed: its log says why');
        if (!refuse(told)) socket.destroy();
      });
      if (!streaming) idle.refresh();
    }
    socket.resume();
  };

  socket.on('data', (chunk: Buffer) => {
    // A sniffer's stream has one direction.
    if (streaming) {
      socket.destroy();
      return;
    }
    pending = Buffer.concat([pending, chunk]);
    socket.pause();
    busy = true;
    work()
      .catch(end)
      .finally(() => (busy = false));
  });
  socket.on('error', () => undefined);
  socket.once('close', () => {
    clearTimeout(idle);
    stream?.close();
    parts.onClose();
  });
  socket.resume();
  return {
    get streaming() {
      return streaming;
    },
    end,
    destroy: () => void socket.destroy(),
  };
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
