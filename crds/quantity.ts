/** Kubernetes quantities (`10M`, `1Gi`, `250m`) as plain numbers and back; rates are in bits/s, sizes in bytes. */

/** The largest value of a quantity: a plain number counts exactly up to here, and no node has more of anything. */
export const MAX_QUANTITY = Number.MAX_SAFE_INTEGER;

/** The pattern of a quantity that is not negative, as the schemas have it. */
export const QUANTITY = /^([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/;

const FACTOR: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

/** The value of a quantity. Throws QuantityError for anything that is not one, or negative, or above MAX_QUANTITY. */
export function parseQuantity(quantity: string | number): number {
  const text = String(quantity);
  if (!QUANTITY.test(text)) {
    throw new QuantityError(
      `"${text.slice(0, 40)}" is not a quantity: write a number with a suffix such as 500k, 10M or 1Gi`,
    );
  }
  const value = valueOf(text);
  if (value > MAX_QUANTITY) throw new QuantityError(`"${text}" is too large: at most ${MAX_QUANTITY}`);
  return value;
}

/** Whether something that has the shape of a quantity is more than any quantity may be. */
export function isTooLarge(quantity: string | number): boolean {
  return QUANTITY.test(String(quantity)) && valueOf(String(quantity)) > MAX_QUANTITY;
}

/** The value of a quantity that somebody else wrote, such as another process's status; 0 where it makes no sense. */
export function quantityOrZero(quantity: string | number | undefined): number {
  try {
    return parseQuantity(quantity ?? 0);
  } catch {
    return 0;
  }
}

/** A whole number as the shortest quantity that says exactly the same, in thousands: 10000000 becomes `10M`. */
export function decimalQuantity(value: number): string {
  return shortest(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** As `decimalQuantity`, in powers of 1024: 1073741824 becomes `1Gi`. */
export function binaryQuantity(value: number): string {
  return shortest(value, 1024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi']);
}

/** A rate for people: 10000000 becomes `10 Mbit/s`. */
export function formatRate(bitsPerSecond: number): string {
  return `${scaled(bitsPerSecond, 1000, ['', 'k', 'M', 'G', 'T'])}bit/s`;
}

/** A size for people: 1073741824 becomes `1 GiB`. */
export function formatBytes(bytes: number): string {
  return `${scaled(bytes, 1024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'])}B`;
}

function valueOf(text: string): number {
  const [, digits, suffix] = /^([0-9.]+)(.*)$/.exec(text)!;
  const factor = FACTOR[suffix!];
  return factor === undefined ? Number(text) : Number(digits) * factor;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  while (unit < units.length - 1 && value >= base) {
    value /= base;
    unit++;
  }
  return `${Number(value.toFixed(2))} ${units[unit]}`;
}

function shortest(value: number, base: number, suffixes: readonly string[]): string {
  let power = 0;
  while (value > 0 && value % base === 0 && power < suffixes.length - 1) {
    value /= base;
    power++;
  }
  return `${value}${suffixes[power]}`;
}
