/** What people do with tickets: each command makes a text from its options and files. */
import { randomBytes } from 'node:crypto';
import { parse, stringify } from 'yaml';
import type { Rspec } from '../../../../crds/types.ts';
import { DAY_MS, formatSeconds, inFull, MAX_DAYS, NONCE_BYTES } from '../claim.ts';
import {
  KEY_SECRET_TYPE,
  type KeyPair,
  pairOf,
  PRIVATE,
  privateText,
  PUBLIC,
  readPrivateKey,
  readPublicKey,
} from '../key.ts';
import { readRspec } from '../rspec.ts';
import { decode, delegate, encode, idOf, issue, type Ticket, verify } from '../ticket.ts';
import { type Name, type Options, UsageError } from './arguments.ts';
import { redeem } from './redeem.ts';

export interface Io {
  /** The file's text, `-` being standard input. */
  read(file: string): string;
  now(): number;
}

export type Command = (options: Options, io: Io) => string | Promise<string>;

export const USAGE = `tickets COMMAND

  keygen [--name=N --namespace=N]    a new key as a Secret: pipe it into kubectl apply
  issue --key=FILE --broker=KEY --to=KEY --resources=YAML --end=TIME [--start=TIME --node=N]    a new ticket
  delegate --key=FILE --to=KEY [--ticket=FILE --resources=YAML --start=TIME --end=TIME --node=N]    all or less of one
  show [--ticket=FILE]               what a ticket says, and whether its signatures hold
  redeem --key=FILE --at=URL --contact=WHO [--ticket=FILE --node=N --nonce=N --name=N --namespace=N]
                                     the Secret and the ResourceCapability that take the right over

Without a command it is the broker itself. FILE: - (for tickets the default) is standard input; a key's may be a Secret as YAML.
`;

export const COMMANDS: Readonly<Record<Name, Command>> = {
  keygen({ name = 'ticket-key', namespace }) {
    const pair = pairOf(randomBytes(32));
    const metadata = { name, ...(namespace && { namespace }) };
    const stringData = { [PRIVATE]: privateText(pair), [PUBLIC]: pair.publicKey };
    return stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: KEY_SECRET_TYPE, stringData });
  },

  issue(options, io) {
    const key = readKey(options['key']!, io);
    const { node, start = formatSeconds(io.now()), end } = options;
    const window = { start: readTime(start, '--start'), end: readTime(end!, '--end') };
    if (Date.parse(window.end) - Date.parse(window.start) > MAX_DAYS * DAY_MS) {
      const from = options['start'] === undefined ? ', which is now where it is not given,' : '';
      throw new UsageError(`a ticket is good for at most ${MAX_DAYS} days, from --start${from} until --end`);
    }
    const claim = {
      issuer: key.publicKey,
      holder: readPublicKey(options['to'], '--to'),
      broker: readPublicKey(options['broker'], '--broker'),
      ...(node !== undefined && { node }),
      resources: readResources(options['resources']!),
      window,
      nonce: newNonce(),
    };
    return `${encode(issue(claim, key))}\n`;
  },

  delegate(options, io) {
    const key = readKey(options['key']!, io);
    const ticket = readTicket(options, io);
    const { leaf } = verify(ticket);
    const { node, resources, start, end } = options;
    const given = {
      holder: readPublicKey(options['to'], '--to'),
      nonce: newNonce(),
      ...(node !== undefined && { node }),
      ...(resources !== undefined && { resources: readResources(resources) }),
      window: {
        start: start === undefined ? leaf.window.start : readTime(start, '--start'),
        end: end === undefined ? leaf.window.end : readTime(end, '--end'),
      },
    };
    return `${encode(delegate(ticket, given, key))}\n`;
  },

  show(options, io) {
    const ticket = readTicket(options, io);
    const { broker } = verify(ticket);
    const links = ticket.map(({ claim }) => {
      const { issuer, holder, node, resources, window } = claim;
      return { id: idOf(claim), issuer, holder, ...(node !== undefined && { node }), window, resources };
    });
    return stringify({ broker, links });
  },

  async redeem(options, io) {
    const nonce = options['nonce'] ?? newNonce();
    const key = readKey(options['key']!, io);
    const { contact, node, name, namespace } = options;
    const at = readUrl(options['at']!);
    const ticket = readTicket(options, io);
    return await redeem({ ticket, key, at, contact: contact!, node, nonce, name, namespace, now: io.now });
  },
};

/** The key itself, or a Secret that carries it, as `keygen` writes it or as kubectl gives it back. */
function readKey(file: string, io: Io): KeyPair {
  const text = io.read(file).trim();
  if (!text.includes('\n') && !text.startsWith('{')) return readPrivateKey(text);
  const secret = parse(text) as { stringData?: Record<string, string>; data?: Record<string, string> } | undefined;
  const plain = secret?.stringData?.[PRIVATE];
  const encoded = secret?.data?.[PRIVATE];
  if (plain !== undefined) return readPrivateKey(plain.trim());
  if (encoded !== undefined) return readPrivateKey(Buffer.from(encoded, 'base64').toString('utf8').trim());
  throw new UsageError(`${file} holds neither a private key nor a Secret with one`);
}

function readTicket({ ticket = '-' }: Options, io: Io): Ticket {
  return decode(io.read(ticket).replace(/\n$/, ''));
}

function readResources(text: string): Rspec {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new UsageError(`--resources is no YAML: ${(error as Error).message}`, { cause: error });
  }
  return inFull(readRspec(value, '--resources'));
}

function readTime(text: string, what: string): string {
  const instant = Date.parse(text);
  if (Number.isNaN(instant)) throw new UsageError(`${what} is no time: write it as 2030-01-31T12:00:00Z`);
  return formatSeconds(instant);
}

/** HOST:PORT alone is a URL to some, of the scheme HOST. */
function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url && ['http:', 'https:'].includes(url.protocol)) return text;
  throw new UsageError(`--at=${text} is no URL of a broker: write it as http://HOST:8085`);
}

function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64url');
}
