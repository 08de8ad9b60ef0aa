/** What a sliver may ask of its socket: one JSON object a line, each answered by one line. */

export type Transport = 'tcp' | 'udp';
export type Family = 4 | 6;
/** An owned port or echo identifier, or whichever of the owned ones is the lowest. */
export type Wanted = number | 'any';

export type SocketRequest =
  /** Answered with the descriptor of a raw socket: TCP or UDP segments from and to one owned port. */
  | { open: 'raw'; protocol: Transport; family: Family; port: Wanted; headerIncluded: boolean }
  /** Echo requests and replies with an owned identifier, errors about packets from an owned port, or both. */
  | { open: 'icmp'; family: Family; identifier?: Wanted; errorsOf?: { protocol: Transport; port: Wanted } }
  /** From the answer on the connection carries pcapng: the headers of all packets from and to an owned port. */
  | { open: 'sniffer'; protocol: Transport; port: Wanted }
  /** The same, of all packets that the node sends, each with the name of its slice. */
  | { open: 'audit' };

/** What was opened: every `any` replaced by the port that it became. */
export type Opened = SocketRequest;
export type Answer = { ok: Opened } | { error: { code: ErrorCode; message: string } };

/**
 * Names of errno(3): EINVAL the request, EPERM a right, EADDRINUSE an ordinary socket on the port, EMFILE and EBUSY too
 * much open, E2BIG too long a line, ETIMEDOUT no request in time, EIO whatever else failed here.
 */
export type ErrorCode = 'EINVAL' | 'EPERM' | 'EADDRINUSE' | 'EMFILE' | 'EBUSY' | 'E2BIG' | 'ETIMEDOUT' | 'EIO';

/** A request that is not granted: the sliver is told both. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The longest line that is read; every valid request is far shorter. */
export const MAX_REQUEST_BYTES = 1024;

/** Throws Refusal EINVAL for anything but a well-formed request: no field too few, none too many. */
export function parseRequest(line: string): SocketRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Refusal('EINVAL', 'the line is not JSON');
  }
  const fields = new Fields(value, 'the request');
  const open = fields.oneOf('open', ['raw', 'icmp', 'sniffer', 'audit'] as const);
  const request = readers[open](fields);
  fields.end();
  return request;
}

const TRANSPORTS = ['tcp', 'udp'] as const;
const FAMILIES = [4, 6] as const;

const readers: { [K in SocketRequest['open']]: (fields: Fields) => Extract<SocketRequest, { open: K }> } = {
  raw: (fields) => ({
    open: 'raw',
    protocol: fields.oneOf('protocol', TRANSPORTS),
    family: fields.oneOf('family', FAMILIES),
    port: fields.port('port'),
    headerIncluded: fields.has('headerIncluded') ? fields.oneOf('headerIncluded', [true, false] as const) : false,
  }),
  icmp: (fields) => {
    const family = fields.oneOf('family', FAMILIES);
    const identifier = fields.has('identifier') ? fields.port('identifier') : undefined;
    const errorsOf = fields.has('errorsOf') ? readErrorsOf(fields.take('errorsOf')) : undefined;
    if (identifier === undefined && !errorsOf)
      throw new Refusal('EINVAL', 'icmp takes an identifier, errorsOf, or both');
    return { open: 'icmp', family, ...(identifier !== undefined && { identifier }), ...(errorsOf && { errorsOf }) };
  },
  sniffer: (fields) => ({
    open: 'sniffer',
    protocol: fields.oneOf('protocol', TRANSPORTS),
    port: fields.port('port'),
  }),
  audit: () => ({ open: 'audit' }),
};

function readErrorsOf(value: unknown): { protocol: Transport; port: Wanted } {
  const fields = new Fields(value, 'errorsOf');
  const read = { protocol: fields.oneOf('protocol', TRANSPORTS), port: fields.port('port') };
  fields.end();
  return read;
}

/** The fields of an object, each to be taken once. */
class Fields {
  readonly #left: Map<string, unknown>;
  readonly #what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Refusal('EINVAL', `${what} is not an object`);
    }
    this.#left = new Map(Object.entries(value));
    this.#what = what;
  }

  has(name: string): boolean {
    return this.#left.has(name);
  }

  take(name: string): unknown {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  oneOf<const T>(name: string, allowed: readonly T[]): T {
    const value = this.take(name);
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new Refusal('EINVAL', `${name} of ${this.#what} must be one of ${JSON.stringify(allowed)}`);
  }

  port(name: string): Wanted {
    const value = this.take(name);
    if (value === 'any') return value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
    throw new Refusal('EINVAL', `${name} of ${this.#what} must be 1 to 65535 or "any"`);
  }

  end(): void {
    const [name] = this.#left.keys();
    // never the name itself: it may be anything
    if (name !== undefined) throw new Refusal('EINVAL', `${this.#what} has fields that are not known`);
  }
}
