/** Lists and quotations in messages: short however many there are, however long they are. */
import { cut } from '../../../crds/text.ts';

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

/** Somebody's words, at most that many characters of them: their beginning says what failed, their end says why. */
export function excerpt(text: string, most: number): string {
  const whole = text.trim();
  if (whole.length <= most) return whole.toWellFormed();
  const beginning = Math.floor(most / 3);
  const end = whole.slice(whole.length - (most - beginning - 5)).replace(/^[\udc00-\udfff]/, '');
  return `${cut(whole, beginning)} ... ${end.toWellFormed()}`;
}

function shorten(parts: readonly string[], separator: string): string {
  const shown = parts.slice(0, SHOWN).join(separator);
  return parts.length > SHOWN ? `${shown} and ${parts.length - SHOWN} more` : shown;
}
