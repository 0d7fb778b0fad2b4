import type { Command } from 'commander';
import { Option } from 'commander';
import { stringify } from 'yaml';
import type { ApiObject } from '../api/object.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { Failure, report } from './failure.ts';
import { formatTable, type Table } from './print-table.ts';
import { collectionPath, displayName, findKind, objectPath } from './resource-names.ts';

interface GetFlags extends ClientFlags {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly output: 'table' | 'wide' | 'yaml' | 'json' | 'name';
  readonly watch?: boolean;
}

const AS_TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const AS_OBJECTS = 'application/json';

/** `outrider get`: lists resources. */
export const registerGet = (program: Command): void => {
  addClientFlags(
    program
      .command('get')
      .summary('lists resources')
      .description('Lists resources, or one of them.')
      .argument('<kind>', 'such as services, svc or httproutes')
      .argument('[name]')
      .option('-n, --namespace <name>', 'the namespace', 'default')
      .option('-A, --all-namespaces', 'all namespaces')
      .option('-l, --selector <labels>', 'only with these labels: app=web,version!=v1')
      .addOption(new Option('-o, --output <form>').choices(['table', 'wide', 'yaml', 'json', 'name']).default('table'))
      .option('-w, --watch', 'goes on with every change'),
  )
    .addHelpText('after', '\nExample:\n  outrider get sidecars -A -w\n')
    .action(async (kindName: string, name: string | undefined, flags: GetFlags) => {
      try {
        const kind = findKind(kindName);
        await using client = new Client(flags, process.env);
        await show(client, kind, name, flags);
      } catch (error) {
        report(error);
      }
    });
};

const show = async (client: Client, kind: ResourceKind, name: string | undefined, flags: GetFlags): Promise<void> => {
  const namespace = flags.allNamespaces === true ? undefined : flags.namespace;
  const query = new URLSearchParams();
  if (flags.selector !== undefined) query.set('labelSelector', flags.selector);
  const isTable = flags.output === 'table' || flags.output === 'wide';
  const accept = isTable ? AS_TABLE : AS_OBJECTS;
  const one = name !== undefined && flags.watch !== true;
  if (name !== undefined && !one) query.set('fieldSelector', `metadata.name=${name}`);
  const path = one ? objectPath(kind, flags.namespace, name) : `${collectionPath(kind, namespace)}?${query.toString()}`;
  const answer = await client.call('GET', path, { accept });

  const options = { wide: flags.output === 'wide', withNamespace: kind.namespaced && flags.allNamespaces === true };
  const widths: number[] = [];
  let withHeader = true;
  const print = (value: object) => {
    if (isTable) {
      const lines = formatTable(value as Table, { ...options, withHeader }, widths);
      withHeader = false;
      process.stdout.write(lines.map(line => `${line}\n`).join(''));
    } else process.stdout.write(formatObject(kind, value, flags.output));
  };
  if (isTable && (answer as Table).rows.length === 0 && flags.watch !== true)
    return void process.stderr.write(
      `there are no ${kind.plural}${namespace === undefined || !kind.namespaced ? '' : ` in namespace ${namespace}`}\n`,
    );
  print(answer);
  if (flags.watch !== true) return;
  const { resourceVersion } = (answer as { metadata: { resourceVersion: string } }).metadata;
  query.set('watch', '1');
  query.set('resourceVersion', resourceVersion);
  for await (const { type, object } of client.watch(`${collectionPath(kind, namespace)}?${query.toString()}`, accept)) {
    if (type === 'ERROR') throw new Failure((object as { message?: string }).message ?? 'the watch ended');
    print(object);
  }
};

const formatObject = (kind: ResourceKind, value: object, output: GetFlags['output']): string => {
  if (output === 'json') return `${JSON.stringify(value, undefined, 2)}\n`;
  if (output === 'yaml') return `---\n${stringify(value, { aliasDuplicateObjects: false })}`;
  const items = 'items' in value ? (value.items as readonly ApiObject[]) : [value as ApiObject];
  return items.map(({ metadata }) => `${displayName(kind, metadata.name)}\n`).join('');
};
