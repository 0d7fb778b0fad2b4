import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Stored } from '../api/object.ts';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { report } from './failure.ts';
import { findKind, objectPath } from './resource-names.ts';

interface DescribeFlags extends ClientFlags {
  readonly namespace: string;
}

/** `outrider describe`: one resource for a person to read. */
export const registerDescribe = (program: Command): void => {
  addClientFlags(
    program
      .command('describe')
      .summary('shows one resource for a person to read')
      .description('Shows one resource for a person to read, with what the control plane found about it.')
      .argument('<kind>', 'such as service, svc or httproute')
      .argument('<name>')
      .option('-n, --namespace <name>', 'the namespace', 'default'),
  )
    .addHelpText('after', '\nExample:\n  outrider describe httproute web\n')
    .action(async (kindName: string, name: string, flags: DescribeFlags) => {
      try {
        const kind = findKind(kindName);
        await using client = new Client(flags, process.env);
        const object = (await client.call('GET', objectPath(kind, flags.namespace, name))) as Stored;
        process.stdout.write(describeObject(object));
      } catch (error) {
        report(error);
      }
    });
};

/** Metadata as a list, then every other member as YAML. */
export const describeObject = (object: Stored): string => {
  const { apiVersion, kind, metadata, ...members } = object;
  const { name, namespace, labels = {}, generation, creationTimestamp, resourceVersion } = metadata;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  const head = [
    ['Name', name],
    ['Namespace', namespace],
    ['Kind', `${kind} (${apiVersion})`],
    ['Labels', pairs.join(', ')],
    ['Created', creationTimestamp],
    ['Version', `${resourceVersion}, generation ${generation}`],
  ].filter(([, value]) => value !== undefined && value !== '');
  const sections = Object.entries(members).map(([member, value]) => {
    const body = stringify(value, { aliasDuplicateObjects: false }).trimEnd().replace(/^/gm, '  ');
    return `${member[0]?.toUpperCase()}${member.slice(1)}:\n${body}`;
  });
  return [...head.map(([title, value]) => `${`${title}:`.padEnd(12)}${value}`), ...sections, ''].join('\n');
};
