import type { Command } from 'commander';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { Failure, report } from './failure.ts';
import { readResources } from './resource-files.ts';
import { displayName, findKind, objectPath } from './resource-names.ts';

interface DeleteFlags extends ClientFlags {
  readonly filename?: readonly string[];
  readonly namespace: string;
  readonly dryRun?: boolean;
  readonly ignoreNotFound?: boolean;
}

/** `outrider delete`: removes resources by name or as files name them. */
export const registerDelete = (program: Command): void => {
  addClientFlags(
    program
      .command('delete')
      .summary('removes resources')
      .description('Removes resources, by kind and name or as files name them.')
      .argument('[kind]', 'such as service, svc or httproutes')
      .argument('[names...]')
      .option('-f, --filename <file...>', 'YAML or JSON files, folders of them, or - for standard input')
      .option('-n, --namespace <name>', 'the namespace', 'default')
      .option('--ignore-not-found', 'what is not there is fine')
      .option('--dry-run', 'checks everything and changes nothing'),
  )
    .addHelpText('after', '\nExample:\n  outrider delete httproute web -n shop\n')
    .action(async (kind: string | undefined, names: readonly string[], flags: DeleteFlags, command: Command) => {
      if ((flags.filename === undefined) === (kind === undefined || names.length === 0))
        command.error('error: give a kind and names, or -f FILE', { exitCode: 2 });
      try {
        const targets =
          flags.filename === undefined
            ? names.map(name => ({ kind: findKind(kind ?? ''), name, namespace: flags.namespace }))
            : readResources(flags.filename)
                .toReversed()
                .map(({ kind, object: { metadata } }) => ({
                  kind,
                  name: metadata.name,
                  namespace: metadata.namespace ?? flags.namespace,
                }));
        await using client = new Client(flags, process.env);
        for (const target of targets) {
          const path = objectPath(target.kind, target.namespace, target.name);
          const shown = displayName(target.kind, target.name);
          try {
            if (flags.ignoreNotFound === true && (await client.find(path)) === undefined) continue;
            await client.call('DELETE', flags.dryRun === true ? `${path}?dryRun=All` : path);
            process.stdout.write(`${shown} deleted${flags.dryRun === true ? ' (dry run)' : ''}\n`);
          } catch (error) {
            report(error, targets.length > 1 && error instanceof Failure ? `${shown}: ` : '');
          }
        }
      } catch (error) {
        report(error);
      }
    });
};
