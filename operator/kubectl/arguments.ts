/** The command line, read strictly. Pure. */

export const COMMANDS = ['ls', 'top', 'sensors', 'audit', 'dump', 'exec', 'why'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Arguments {
  command: Command;
  /** kubectl's own: --context, --kubeconfig and the like, as they were given. */
  kubectl: string[];
  namespace: string | undefined;
  allNamespaces: boolean;
  /** Those before `--`. */
  words: string[];
  /** Those after it. */
  rest: string[];
  /** The command's own, by name without dashes; 'true' where it takes no value. */
  options: ReadonlyMap<string, string>;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** kubectl's own that take a value. */
const PASSED = ['context', 'kubeconfig', 'cluster', 'user', 'as', 'as-group', 'token', 'server', 'request-timeout'];
/** The commands' own; true: with a value. */
const OWN: Readonly<Record<Command, Readonly<Record<string, boolean>>>> = {
  ls: {},
  top: { interval: true, once: false },
  sensors: { node: true },
  audit: { destination: true, protocol: true, port: true, from: true, to: true, limit: true, json: false },
  dump: { node: true },
  exec: { node: true, all: false },
  why: {},
};

/** Throws UsageError, whose message says what is not understood. */
export function parseArguments(argv: readonly string[]): Arguments {
  const end = argv.indexOf('--');
  const queue = argv.slice(0, end < 0 ? undefined : end);
  const words: string[] = [];
  const kubectl: string[] = [];
  const given = new Map<string, string | undefined>();
  let namespace: string | undefined;
  let allNamespaces = false;
  const take = (name: string, inline: string | undefined): string => {
    const value = inline ?? queue.shift();
    if (value === undefined) throw new UsageError(`${name} needs a value`);
    return value;
  };
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const [, name, inline] = /^--?([a-zA-Z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === 'h' || name === 'help') throw new UsageError('');
    if (name === undefined) words.push(word);
    else if (name === 'n' || name === 'namespace') namespace = take(word, inline);
    else if (name === 'A' || name === 'all-namespaces') allNamespaces = true;
    else if (PASSED.includes(name)) kubectl.push(`--${name}=${take(word, inline)}`);
    else if (isOption(words[0], name)) given.set(name, OWN[words[0]][name] ? take(word, inline) : 'true');
    else throw new UsageError(`there is no ${word} here`);
  }
  const command = words.shift();
  if (!isCommand(command)) throw new UsageError(command === undefined ? '' : `there is no command ${command}`);
  const options = new Map([...given].map(([name, value]) => [name, value ?? 'true']));
  const rest = end < 0 ? [] : argv.slice(end + 1);
  return { command, kubectl, namespace, allNamespaces, words, rest, options };
}

function isCommand(word: string | undefined): word is Command {
  return (COMMANDS as readonly string[]).includes(word ?? '');
}

function isOption(command: string | undefined, name: string): command is Command {
  return isCommand(command) && Object.hasOwn(OWN[command], name);
}
