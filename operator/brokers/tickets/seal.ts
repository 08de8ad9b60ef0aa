/**
 * Values on their way: for the eyes of one holder, whoever carries them. X25519 with a key of the answer alone, HKDF, AES-256-GCM;
 * as there is one key for one value, its nonce may be zeros.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { readBytes } from './canonical.ts';
import { type KeyPair, PKCS8 } from './key.ts';
import { Refusal } from './refusal.ts';

export interface Sealed {
  /** The sender's X25519 key, in base64url. */
  from: string;
  /** In base64url, with the tag of 16 bytes at its end. */
  text: string;
}

const BYTES = 32;
const TAG = 16;
const MAX_TEXT = 1024;
const ZEROS = Buffer.alloc(12);

/** The X25519 key for the answer to one request: made from the holder's own, so that a repeated request can read it, too. */
function answerKey({ seed }: KeyPair, nonce: string): KeyObject {
  const own = Buffer.from(hkdfSync('sha256', seed, Buffer.from(nonce), 'slice-operator.io/answer-key/v1', BYTES));
  return createPrivateKey({ key: Buffer.concat([PKCS8.x25519, own]), format: 'der', type: 'pkcs8' });
}

/** Its public half, in base64url. */
export function sealingKey(holder: KeyPair, nonce: string): string {
  return publicHalf(answerKey(holder, nonce));
}

/** Throws Refusal where `to` is no key. */
export function seal(text: string, to: string): Sealed {
  const { privateKey } = generateKeyPairSync('x25519');
  const from = publicHalf(privateKey);
  const cipher = createCipheriv('aes-256-gcm', sharedKey(privateKey, to, from, to), ZEROS);
  const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { from, text: bytes.toString('base64url') };
}

/** Throws Refusal where it was sealed for another, or changed on its way. */
export function open({ from, text }: Sealed, holder: KeyPair, nonce: string): string {
  const own = answerKey(holder, nonce);
  const bytes = Buffer.from(text.slice(0, MAX_TEXT), 'base64url');
  try {
    const decipher = createDecipheriv('aes-256-gcm', sharedKey(own, from, from, publicHalf(own)), ZEROS);
    decipher.setAuthTag(bytes.subarray(-TAG));
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG)), decipher.final()]).toString('utf8');
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('Forged', 'the value was sealed for another, or changed on its way');
  }
}

export function readSealingKey(text: unknown): string {
  readBytes(text, 'seal', BYTES);
  return text as string;
}

function sharedKey(own: KeyObject, other: string, from: string, to: string): Buffer {
  readBytes(other, 'a sealing key', BYTES);
  let secret: Buffer;
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: other }, format: 'jwk' });
    secret = diffieHellman({ privateKey: own, publicKey });
  } catch {
    throw new Refusal('Malformed', 'the sealing key is none');
  }
  return Buffer.from(hkdfSync('sha256', secret, Buffer.from(`${from}.${to}`), 'slice-operator.io/value/v1', BYTES));
}

function publicHalf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'jwk' }).x!;
}
