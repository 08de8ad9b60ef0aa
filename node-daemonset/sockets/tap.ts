/** The program that sees what the node sends, and the ring by which it tells. */
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { type Handle, libbpf } from '../bpf/libbpf.ts';
import * as libc from './libc.ts';

/** One packet that left, as `struct sample` of tap.bpf.c has it. */
export interface Sample {
  /** Nanoseconds of CLOCK_MONOTONIC. */
  time: bigint;
  /** HTB class id, major and minor. */
  priority: number;
  /** Bytes of the whole packet from the IP header on. */
  length: number;
  data: Buffer;
  /** Samples that found no room, since the tap was opened. */
  lost: number;
}

const SO_ATTACH_BPF = 50;
const HEADER = 24;
const STOP = -1;
/** What binding to an interface says that is no more, or goes up and down just now. */
const GONE = ['ENODEV', 'ENXIO', 'ENETDOWN'];

const OBJECT = fileURLToPath(new URL('tap.bpf.o', import.meta.url));
/** `struct bpf_object_open_opts` of nothing but its own size. */
const NO_OPTIONS = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]);
const onSample = koffi.proto('int SampleFunction(void *context, void *data, size_t size)');

export class Tap {
  readonly #object: Handle;
  readonly #ring: Handle;
  readonly #ringBuffer: RingBuffer;
  readonly #program: number;
  /** By the interface's index. */
  readonly #sockets = new Map<number, number>();
  readonly #callback: bigint;
  #read: ((sample: Sample) => boolean) | undefined;

  /** Sees nothing before `follow`. Throws where the kernel does not take the program. */
  constructor() {
    const bpf = libbpf();
    const object = bpf.bpf_object__open_file(OBJECT, NO_OPTIONS);
    if (!object) throw new Error(`${OBJECT} could not be opened: compile it with \`make bpf\``);
    this.#object = object;
    try {
      const loaded = bpf.bpf_object__load(object);
      if (loaded < 0) throw new Error(`the kernel refuses ${OBJECT}: errno ${-loaded}`);
      this.#callback = koffi.register(
        (_context: unknown, data: unknown, size: number) => this.#onSample(data, size),
        koffi.pointer(onSample),
      );
      this.#ringBuffer = ringBuffer();
      const ring = this.#ringBuffer.create(mapFd(object, 'samples'), this.#callback, null, null);
      if (!ring) throw new Error('no ring could be made of the samples');
      this.#ring = ring;
      this.#program = bpf.bpf_program__fd(bpf.bpf_object__next_program(object, null)!);
    } catch (error) {
      bpf.bpf_object__close(object);
      throw error;
    }
  }

  /** Sees what leaves by these interfaces, by their indices, and by no others. One that is just going is left out. */
  follow(interfaces: readonly number[]): void {
    for (const [index, fd] of this.#sockets) {
      if (interfaces.includes(index)) continue;
      libc.closeSocket(fd);
      this.#sockets.delete(index);
    }
    for (const index of interfaces) {
      if (this.#sockets.has(index)) continue;
      try {
        this.#sockets.set(index, attach(this.#program, index));
      } catch (error) {
        if (!(error instanceof libc.SystemError) || !GONE.includes(error.code)) throw error;
      }
    }
  }

  /** What came since the last call, one sample after the other, until `read` says false. */
  consume(read: (sample: Sample) => boolean): void {
    this.#read = read;
    this.#ringBuffer.consume(this.#ring);
    this.#read = undefined;
  }

  close(): void {
    this.follow([]);
    this.#ringBuffer.free(this.#ring);
    koffi.unregister(this.#callback);
    libbpf().bpf_object__close(this.#object);
  }

  #onSample(at: unknown, size: number): number {
    const bytes = Buffer.from(koffi.view(at, size));
    const kept = bytes.readUInt32LE(16);
    const more = this.#read!({
      time: bytes.readBigUInt64LE(0),
      priority: bytes.readUInt32LE(8),
      length: bytes.readUInt32LE(12),
      // the ring's memory is written again
      data: Buffer.from(bytes.subarray(HEADER, HEADER + kept)),
      lost: bytes.readUInt32LE(20),
    });
    return more ? 0 : STOP;
  }
}

interface RingBuffer {
  create(map: number, onSample: bigint, context: null, options: null): Handle | null;
  consume(ring: Handle): number;
  free(ring: Handle): void;
}

function ringBuffer(): RingBuffer {
  const library = koffi.load('libbpf.so.1');
  return {
    create: library.func('ring_buffer__new', 'void*', ['int', 'void*', 'void*', 'void*']) as RingBuffer['create'],
    consume: library.func('ring_buffer__consume', 'int', ['void*']) as RingBuffer['consume'],
    free: library.func('ring_buffer__free', 'void', ['void*']) as RingBuffer['free'],
  };
}

function mapFd(object: Handle, name: string): number {
  const bpf = libbpf();
  for (let map = bpf.bpf_object__next_map(object, null); map; map = bpf.bpf_object__next_map(object, map)) {
    if (bpf.bpf_map__name(map) === name) return bpf.bpf_map__fd(map);
  }
  throw new Error(`${OBJECT} has no map ${name}`);
}

/** The program first: the socket itself receives nothing. */
function attach(program: number, index: number): number {
  const fd = libc.openSocket(libc.AF_PACKET, libc.SOCK_DGRAM, 0);
  try {
    libc.setOption(fd, libc.SOL_SOCKET, SO_ATTACH_BPF, program);
    libc.bindSocket(fd, libc.packetAddress(index));
    return fd;
  } catch (error) {
    libc.closeSocket(fd);
    throw error;
  }
}
