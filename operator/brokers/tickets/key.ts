/** Ed25519 keys as texts: `ed25519:` and `ed25519-private:` with 32 bytes in base64url. A public key is who somebody is. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { readBytes } from './canonical.ts';
import { Refusal } from './refusal.ts';

/** The type of Secrets that carry a private key, and the names under which they do. */
export const KEY_SECRET_TYPE = 'slice-operator.io/ticket-key';
export const PRIVATE = 'private';
export const PUBLIC = 'public';

const PUBLIC_PREFIX = 'ed25519:';
const PRIVATE_PREFIX = 'ed25519-private:';
const BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** What comes before the 32 bytes of a private key in PKCS #8 (RFC 8410, section 7). */
export const PKCS8 = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
} as const;

export interface KeyPair {
  /** As everybody may know it. */
  publicKey: string;
  /** The 32 bytes that nobody else may know. */
  seed: Buffer;
  key: KeyObject;
}

/** The pair of a private key's text. The error never repeats the text. */
export function readPrivateKey(text: string): KeyPair {
  if (!text.startsWith(PRIVATE_PREFIX)) throw new Refusal('Malformed', `a private key begins with ${PRIVATE_PREFIX}`);
  return pairOf(readBytes(text.slice(PRIVATE_PREFIX.length), 'a private key', BYTES));
}

export function pairOf(seed: Buffer): KeyPair {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8.ed25519, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  return { publicKey: `${PUBLIC_PREFIX}${x}`, seed, key };
}

export function privateText({ seed }: KeyPair): string {
  return `${PRIVATE_PREFIX}${seed.toString('base64url')}`;
}

/** The text itself, where it is that of a public key. */
export function readPublicKey(text: unknown, what: string): string {
  if (typeof text !== 'string' || !text.startsWith(PUBLIC_PREFIX)) {
    throw new Refusal('Malformed', `${what} must be a public key, ${PUBLIC_PREFIX}...`);
  }
  readBytes(text.slice(PUBLIC_PREFIX.length), what, BYTES);
  return text;
}

/** In base64url. */
export function signWith({ key }: Pick<KeyPair, 'key'>, bytes: Buffer): string {
  return sign(null, bytes, key).toString('base64url');
}

/** `publicKey` was read before; a key that is no point of the curve signed nothing. */
export function isSignedBy(publicKey: string, bytes: Buffer, signature: string): boolean {
  try {
    const x = publicKey.slice(PUBLIC_PREFIX.length);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, bytes, key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

/** Enough of a key to tell it from others, for sentences. */
export function shortKey(publicKey: string): string {
  return publicKey.slice(0, PUBLIC_PREFIX.length + 12);
}
