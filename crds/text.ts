/** Texts that others wrote, and that go into statuses and Events. */

/** By these words a right's Ready names its node's owner among those who suspend it: nothing else of the right does. */
export const NODE_OWNER = "the node's owner";

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
