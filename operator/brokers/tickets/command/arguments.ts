/** The command line of `tickets`, read strictly. Pure. */

export const NAMES = ['keygen', 'issue', 'delegate', 'show', 'redeem'] as const;
export type Name = (typeof NAMES)[number];

export type Options = Readonly<Record<string, string>>;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Those in the first list must be given. */
const TAKES: Readonly<Record<Name, readonly [required: readonly string[], optional: readonly string[]]>> = {
  keygen: [[], ['name', 'namespace']],
  issue: [
    ['key', 'broker', 'to', 'resources', 'end'],
    ['start', 'node'],
  ],
  delegate: [
    ['key', 'to'],
    ['ticket', 'resources', 'start', 'end', 'node'],
  ],
  show: [[], ['ticket']],
  redeem: [
    ['key', 'at', 'contact'],
    ['ticket', 'node', 'nonce', 'name', 'namespace'],
  ],
};

/** Throws UsageError, whose message is empty where help is all that is wanted. */
export function parseCommand(argv: readonly string[]): { name: Name; options: Options } {
  const [word, ...rest] = argv;
  const name = NAMES.find((one) => one === word);
  if (name === undefined) throw new UsageError(word?.startsWith('-') ? '' : `there is no command ${word}`);
  const [required, optional] = TAKES[name];
  const options: Record<string, string> = {};
  while (rest.length > 0) {
    const given = rest.shift()!;
    const [, option = '', inline] = /^--([a-z]+)(?:=(.*))?$/s.exec(given) ?? [];
    if (option === 'help') throw new UsageError('');
    if (![...required, ...optional].includes(option)) throw new UsageError(`${name} has no ${given}`);
    const value = inline ?? rest.shift();
    if (value === undefined || value === '') throw new UsageError(`--${option} needs a value`);
    if (Object.hasOwn(options, option)) throw new UsageError(`--${option} is given twice`);
    options[option] = value;
  }
  const missing = required.find((one) => !Object.hasOwn(options, one));
  if (missing !== undefined) throw new UsageError(`${name} needs --${missing}`);
  return { name, options };
}
