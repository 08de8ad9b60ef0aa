/** Lists in messages: short however many there are. */

const SHOWN = 3;

/** `a; b; c; and 7 more` */
export function first(sentences: readonly string[]): string {
  return shorten(sentences, '; ');
}

/** `a, b, c and 7 more` */
export function list(names: readonly string[]): string {
  return shorten(names, ', ');
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function shorten(parts: readonly string[], separator: string): string {
  const shown = parts.slice(0, SHOWN).join(separator);
  return parts.length > SHOWN ? `${shown} and ${parts.length - SHOWN} more` : shown;
}
