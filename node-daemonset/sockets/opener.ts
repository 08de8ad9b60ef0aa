/** Opens what a sliver has a right to, within the bounds of one sliver and of the node. */
import { fstatSync } from 'node:fs';
import type { Kernel } from '../bpf/kernel.ts';
import type { Sliver } from '../sliver.ts';
import type { Audit } from './audit.ts';
import { BOUNDS } from './bounds.ts';
import type { Result } from './connection.ts';
import { closeSocket } from './libc.ts';
import { type OpenedRaw, openRaw } from './raw.ts';
import type { SocketRegistry } from './registry.ts';
import { type Opened, Refusal, type Transport } from './request.ts';
import type { Sniffers, Stream } from './sniffers.ts';

export interface OpenerParts {
  kernel: Pick<Kernel, 'rawGeneration' | 'markRaw'>;
  registry: SocketRegistry;
  sniffers: Sniffers;
  audit: Audit;
  holderOf(protocol: Transport, port: number): Promise<{ state: string; local: string } | undefined>;
  /** Keeps the kernel from answering for the ports of all live raw sockets, and ordinary ones off them; resolves when it is so. */
  silenceKernel(): Promise<unknown>;
}

export class Opener {
  readonly #parts: OpenerParts;
  /** Sniffers by pod uid. */
  readonly #sniffing = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  async open(opened: Opened, sliver: Sliver): Promise<Result> {
    if (opened.open === 'audit' || opened.open === 'sniffer') return { opened, stream: this.#sniff(opened, sliver.id) };
    // One after the other: each starts a process or two, and no sliver may have many of them started at once.
    const opening = this.#turn.then(() => this.#openRaw(opened, sliver));
    this.#turn = opening.catch(() => undefined);
    return { opened, fd: await opening };
  }

  async #openRaw(opened: OpenedRaw, sliver: Sliver): Promise<number> {
    const { kernel, registry } = this.#parts;
    const live = registry.live();
    if (live.filter((one) => one.sliver === sliver.id).length >= BOUNDS.rawSockets) {
      throw new Refusal('EMFILE', `this sliver has ${BOUNDS.rawSockets} raw sockets open: close some`);
    }
    await this.#refuseBeside(opened);
    const fd = openRaw(opened, sliver.number, kernel);
    try {
      const passed = { inode: fstatSync(fd).ino, sliver: sliver.id, opened };
      registry.add(passed);
      if (opened.open === 'raw') await this.#parts.silenceKernel();
      // one that came since we looked; from now on none comes
      await this.#refuseBeside(opened);
      return fd;
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
  }

  /** A port is for raw sockets or for ordinary ones. */
  async #refuseBeside(opened: OpenedRaw): Promise<void> {
    if (opened.open !== 'raw') return;
    const holder = await this.#parts.holderOf(opened.protocol, Number(opened.port));
    if (!holder) return;
    const what = `an ordinary socket (${holder.state} at ${holder.local})`;
    throw new Refusal('EADDRINUSE', `${what} is open on ${opened.protocol} port ${opened.port}: close it first`);
  }

  #sniff(opened: Extract<Opened, { open: 'sniffer' | 'audit' }>, uid: string): Stream {
    const open = this.#sniffing.get(uid) ?? 0;
    if (open >= BOUNDS.sniffers) {
      throw new Refusal('EBUSY', `this sliver has ${BOUNDS.sniffers} sniffers open: close some`);
    }
    const { sniffers, audit } = this.#parts;
    const stream = opened.open === 'audit' ? audit.open() : sniffers.open(opened.protocol, Number(opened.port));
    this.#sniffing.set(uid, open + 1);
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      stream.close();
      const left = this.#sniffing.get(uid)! - 1;
      if (left > 0) this.#sniffing.set(uid, left);
      else this.#sniffing.delete(uid);
    };
    return { start: stream.start, close };
  }
}
