/** Texts that others wrote, and that go into statuses and Events. */

/** By these words a right's Ready names its node's owner among those who suspend it. */
export const NODE_OWNER = "the node's owner";

/** Who suspends a right, as its Ready says it: Restraints first, then the node's owner, then holders, who write what they like. */
export function sayWhoSuspends(suspenders: readonly string[]): string {
  return `${KEPT}${suspenders.join('; by ')}`;
}

/** How a Restraint on this slice is told there: its text is in the Slice's status. */
export function sayRestraint(slice: string | undefined): string {
  return `a Restraint: see the status of Slice ${slice}`;
}

const KEPT = 'the right is kept, and suspended by ';
const OWNER = new RegExp(`^${KEPT}(?:${sayRestraint('[-a-z0-9.]*')}; by )?(${NODE_OWNER}.*)$`, 's');

/** What such a Ready says of the node's owner, and of who comes after; undefined where he does not suspend it. */
export function ownersWord(message: string): string | undefined {
  return OWNER.exec(message)?.[1];
}

/**
 * At most so many UTF-16 units of a text, without half a character at its end: a server reads what is applied as YAML, and
 * refuses the whole of it for one half.
 */
export function cut(text: string, most: number): string {
  return text.slice(0, isHalved(text, most) ? most - 1 : most).toWellFormed();
}

/** The same, with ` ...` where something is missing: that is counted too. */
export function cutShort(text: string, most: number): string {
  return text.length <= most ? cut(text, most) : `${cut(text, most - 4)} ...`;
}

function isHalved(text: string, at: number): boolean {
  const code = text.charCodeAt(at - 1);
  return at < text.length && code >= 0xd800 && code <= 0xdbff;
}
