/** The command line, read strictly. Pure. */

export const COMMANDS = ['ls', 'top', 'sensors', 'audit', 'dump', 'exec', 'why'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Arguments {
  command: Command;
  /** kubectl's own: --context, --kubeconfig and the like, as they were given. */
  kubectl: string[];
  namespace: string | undefined;
  /** Of the chart's release; undefined: to be found. */
  release: string | undefined;
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

/** Somebody wants to know what there is. */
export class HelpWanted extends Error {
  override readonly name = 'HelpWanted';
}

/** kubectl's own; true: with a value. */
const PASSED: Readonly<Record<string, boolean>> = {
  context: true,
  kubeconfig: true,
  cluster: true,
  user: true,
  as: true,
  'as-group': true,
  'as-uid': true,
  token: true,
  server: true,
  'request-timeout': true,
  'tls-server-name': true,
  'certificate-authority': true,
  'client-certificate': true,
  'client-key': true,
  'cache-dir': true,
  v: true,
  'insecure-skip-tls-verify': false,
};
/** Flags of one letter. */
const SHORT: Readonly<Record<string, string>> = { n: 'namespace', A: 'all-namespaces', s: 'server', v: 'v', h: 'help' };
/** The most words that a command reads. */
const WORDS: Readonly<Record<Command, number>> = { ls: 0, top: 1, sensors: 16, audit: 1, dump: 1, exec: 1, why: 1 };
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

/** Throws UsageError, whose message says what is not understood, or HelpWanted. */
export function parseArguments(argv: readonly string[]): Arguments {
  const end = argv.indexOf('--');
  const queue = argv.slice(0, end < 0 ? undefined : end);
  const words: string[] = [];
  const kubectl: string[] = [];
  const given = new Map<string, string | undefined>();
  let namespace: string | undefined;
  let release: string | undefined;
  let allNamespaces = false;
  const take = (name: string, inline: string | undefined): string => {
    const value = inline ?? queue.shift();
    if (value === undefined) throw new UsageError(`${name} needs a value`);
    return value;
  };
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const [name, inline] = flagOf(word);
    if (name === undefined) words.push(word);
    else if (name === 'help') throw new HelpWanted();
    else if (name === 'namespace') namespace = take(word, inline);
    else if (name === 'release-namespace') release = take(word, inline);
    else if (name === 'all-namespaces' && inline === undefined) allNamespaces = true;
    else if (Object.hasOwn(PASSED, name))
      kubectl.push(`--${name}${valueOf(PASSED[name] ? take(word, inline) : inline)}`);
    else if (isOption(words[0], name)) given.set(name, OWN[words[0]][name] ? take(word, inline) : 'true');
    else throw new UsageError(`there is no ${word} here`);
  }
  const command = words.shift();
  if (command === undefined || command === 'help') throw new HelpWanted();
  if (!isCommand(command)) throw new UsageError(`there is no command ${command}`);
  const beyond = words[WORDS[command]];
  if (beyond !== undefined) throw new UsageError(`${command} takes no ${beyond} after what was said`);
  const options = new Map([...given].map(([name, value]) => [name, value ?? 'true']));
  const rest = end < 0 ? [] : argv.slice(end + 1);
  return { command, kubectl, namespace, release, allNamespaces, words, rest, options };
}

/** The name of a flag, and its value where it is in the same word: `--v=6`, `-v6`, `-nsite`. Nothing: a word. */
function flagOf(word: string): [name: string | undefined, inline?: string] {
  const [, long, value] = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(word) ?? [];
  if (long !== undefined) return [long, value];
  const [, letter = '', rest = ''] = /^-([a-zA-Z])=?(.*)$/s.exec(word) ?? [];
  if (Object.hasOwn(SHORT, letter)) return [SHORT[letter], rest === '' ? undefined : rest];
  if (word.startsWith('-')) throw new UsageError(`there is no ${word} here`);
  return [undefined];
}

function valueOf(value: string | undefined): string {
  return value === undefined ? '' : `=${value}`;
}

function isCommand(word: string | undefined): word is Command {
  return (COMMANDS as readonly string[]).includes(word ?? '');
}

function isOption(command: string | undefined, name: string): command is Command {
  return isCommand(command) && Object.hasOwn(OWN[command], name);
}
