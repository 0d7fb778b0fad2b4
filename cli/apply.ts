import type { Command } from 'commander';
import type { Stored } from '../api/object.ts';
import { lastApplied, threeWayPatch, withLastApplied } from './apply-patch.ts';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { report } from './failure.ts';
import { type FileResource, readResources } from './resource-files.ts';
import { collectionPath, displayName, objectPath } from './resource-names.ts';

interface ApplyFlags extends ClientFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly dryRun?: boolean;
}

/** `outrider apply`: makes the mesh as files say. */
export const registerApply = (program: Command): void => {
  addClientFlags(
    program
      .command('apply')
      .summary('creates or changes resources as files say')
      .description(
        'Creates or changes resources as files say. What the last file said and this one does not is removed.',
      )
      .requiredOption('-f, --filename <file...>', 'YAML or JSON files, folders of them, or - for standard input')
      .option('-n, --namespace <name>', 'for resources that name none', 'default')
      .option('--dry-run', 'checks everything and changes nothing'),
  )
    .addHelpText('after', '\nExample:\n  outrider apply -f routes.yaml\n')
    .action(async (flags: ApplyFlags) => {
      try {
        const resources = readResources(flags.filename);
        await using client = new Client(flags, process.env);
        for (const resource of resources) {
          try {
            process.stdout.write(`${await applyOne(client, resource, flags)}\n`);
          } catch (error) {
            report(error, resources.length > 1 ? `${displayName(resource.kind, resource.object.metadata.name)}: ` : '');
          }
        }
      } catch (error) {
        report(error);
      }
    });
};

const applyOne = async (client: Client, { kind, object }: FileResource, flags: ApplyFlags): Promise<string> => {
  const { name, namespace = flags.namespace } = object.metadata;
  const query = flags.dryRun === true ? '?dryRun=All' : '';
  const done = (what: string) => `${displayName(kind, name)} ${what}${flags.dryRun === true ? ' (dry run)' : ''}`;
  const wanted = withLastApplied({
    ...object,
    metadata: kind.namespaced ? { ...object.metadata, namespace } : object.metadata,
  });
  const path = objectPath(kind, namespace, name);
  const present = (await client.find(path)) as (Stored & Record<string, unknown>) | undefined;
  if (present === undefined) {
    await client.call('POST', collectionPath(kind, namespace) + query, { body: wanted });
    return done('created');
  }
  const patch = threeWayPatch(lastApplied(present), wanted, present);
  const body = { body: patch, contentType: 'application/merge-patch+json' };
  const { metadata } = (await client.call('PATCH', path + query, body)) as Stored;
  // A file that leaves defaults away gives a patch that changes nothing: the server knows. A dry run has no new version to tell by.
  const changed =
    flags.dryRun === true
      ? Object.keys(patch).length > 0
      : metadata.resourceVersion !== present.metadata.resourceVersion;
  return done(changed ? 'configured' : 'unchanged');
};
