/** `kubectl slice`: what people ask of slices. It asks by kubectl, so it needs nothing but that and Node. */
import { HelpWanted, parseArguments, UsageError } from './arguments.ts';
import { RUN } from './commands.ts';
import { createKubectl, KubectlError } from './run.ts';
import { cleanLines } from './table.ts';

const USAGE = `kubectl slice COMMAND [-n NAMESPACE | -A] [--context=NAME and the like, as kubectl has them]

  ls                                slices: whether they are ready, and who restrains them
  why SLICE                         why a slice is not Ready, in sentences, and what would help; status 1 if it is not
  top [SLICE] [--interval=S --once] promised against got, by slice and node, live
  sensors [NAME [ARGUMENT...]] [--node=NODE]    what the nodes' sensors say, as CSV; without a name, which there are
  audit [SLICE] [--destination=A --protocol=P --port=N --from=T --to=T --limit=N --json]    who sent what, on all nodes
  exec SLICE [--node=NODE | --all] -- COMMAND   runs a command in one sliver, or in all
  dump SLICE [--node=NODE] -- ARGUMENTS         slice-dump in a sliver: what leaves from and comes for its ports

SLICE is a name, or NAMESPACE/NAME. top, sensors and audit ask the product where its ClusterRoleBindings say that it runs;
who may not read those gives --release-namespace=NAMESPACE.
`;

try {
  const args = parseArguments(process.argv.slice(2));
  const kubectl = createKubectl(args.kubectl);
  process.exitCode = await RUN[args.command](kubectl, args, (text) => process.stdout.write(text));
} catch (error) {
  if (error instanceof HelpWanted) process.stdout.write(USAGE);
  else if (error instanceof UsageError || error instanceof KubectlError) {
    process.stderr.write(`kubectl slice: ${cleanLines(error.message)}\n`);
    if (error instanceof UsageError) process.stderr.write('kubectl slice: see kubectl slice help\n');
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } else throw error;
}
