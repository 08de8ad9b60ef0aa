/** Asks a broker, and writes what takes the right over: both objects are for a namespace in the broker's cluster. */
import { stringify } from 'yaml';
import { API_VERSION, LABEL_NODE, nodeLabelValue, SECRET_KEY, SECRET_TYPE } from '../../../../crds/names.ts';
import { canonical, type Canonical } from '../canonical.ts';
import type { KeyPair } from '../key.ts';
import { Refusal } from '../refusal.ts';
import { MAX_REQUEST, readAnswer, type Redeemed, signRequest } from '../request.ts';
import { open, sealingKey } from '../seal.ts';
import { encode, type Ticket, verify } from '../ticket.ts';
import { UsageError } from './arguments.ts';

export interface RedeemOptions {
  ticket: Ticket;
  /** The holder's. */
  key: KeyPair;
  /** Where the broker listens: http://HOST:PORT */
  at: string;
  contact: string;
  node: string | undefined;
  nonce: string;
  /** Of the objects; the namespace may be left to kubectl. */
  name?: string | undefined;
  namespace?: string | undefined;
  now(): number;
}

const ANSWER_MS = 60_000;
const UNSIGNED: ReadonlySet<number> = new Set([404, 405, 408, 431, 500]);

/** Two objects as YAML. Rejects with Refusal as the broker refused, and where nobody answered with what can be done. */
export async function redeem(options: RedeemOptions): Promise<string> {
  const { redeemed, value } = await ask(options);
  const { contact, namespace } = options;
  const name =
    options.name ??
    `ticket-${redeemed.ticket
      .replace(/[^A-Za-z0-9]/g, '')
      .slice(0, 12)
      .toLowerCase()}`;
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  const { node } = redeemed;
  const objects = [
    { apiVersion: 'v1', kind: 'Secret', metadata, type: SECRET_TYPE, stringData: { [SECRET_KEY]: value } },
    {
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { ...metadata, labels: { [LABEL_NODE]: nodeLabelValue(node) } },
      spec: { nodeName: node, contact, redeem: name },
    },
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

/** The right's value, from the broker's own hand. */
export async function ask(options: RedeemOptions): Promise<{ redeemed: Redeemed; value: string }> {
  const { ticket, key, at, contact, nonce } = options;
  const { broker, leaf, ids } = verify(ticket);
  const node = options.node ?? leaf.node;
  if (node === undefined) throw new UsageError('the ticket is for any node: say --node');
  const time = Math.floor(options.now() / 1000);
  const body = signRequest(
    { ticket: encode(ticket), broker, node, contact, nonce, time, seal: sealingKey(key, nonce) },
    key,
  );
  const text = await post(new URL('/redeem', at), body).catch((error: Error) => {
    const cause = (error.cause as Error | undefined)?.message ?? error.message;
    throw new Error(`no answer from ${at} (${cause}): ask again with --nonce=${nonce}, which never redeems twice`);
  });
  try {
    const answer = readAnswer(text, { broker, request: body });
    if (answer.outcome === 'Refused') {
      const { reason, message, left, node: by } = answer;
      throw new Refusal(reason, message, { ...(left && { left }), ...(by && { node: by }) });
    }
    checkRedeemed(answer, { ...leaf, ticket: ids.at(-1)!, node });
    return { redeemed: answer, value: open(answer.value, key, nonce) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // without it nobody but the broker could ever tell what became of this request
    throw new Refusal(error.reason, `${error.message} (the nonce is ${nonce})`, error.details);
  }
}

/** What was redeemed is what was asked for, whatever the broker says and signs. Throws Refusal. */
function checkRedeemed(redeemed: Redeemed, asked: Pick<Redeemed, 'ticket' | 'node' | 'resources' | 'window'>): void {
  for (const field of ['ticket', 'node', 'resources', 'window'] as const) {
    const [said, meant] = [redeemed, asked].map((one) => canonical(one[field] as Canonical));
    if (said !== meant) throw new Refusal('Forged', `the broker redeemed ${field} ${said}, and ${meant} was asked for`);
  }
}

async function post(url: URL, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
  // whatever a broker says of a ticket is signed, and has another status
  if (UNSIGNED.has(response.status)) throw new Error(`status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_REQUEST) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
