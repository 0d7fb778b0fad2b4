/** What may stand at the end of a command line that is being typed, read from the declarations of the commands themselves. */

import type { Argument, Command, Option } from 'commander';
import { KINDS } from '../api/kinds.ts';
import { NAMESPACE } from '../api/namespace.ts';
import type { ApiObject } from '../api/object.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import { SERVICE_ACCOUNT } from '../api/service-account.ts';
import { Client, type ClientFlags } from './client.ts';
import { collectionPath, findKind } from './resource-names.ts';

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** Names of the objects of one kind; `namespace` undefined: of all. */
export type ListNames = (
  kind: ResourceKind,
  namespace: string | undefined,
  flags: ClientFlags,
) => Promise<readonly string[]>;

/** A shell waits for us: without an answer by then there are no names. */
const ANSWER_MS = 1_000;

/** `outrider complete -- WORD…`, for the scripts of `outrider completion`: the last word is the one being typed. A candidate a line. */
export const registerComplete = (
  program: Command,
  createProgram: (name: string | undefined) => Promise<Command>,
): void => {
  program
    .command('complete', { hidden: true })
    .description('What may follow; the last word is the one being typed.')
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const asked = await createProgram(words.length > 1 ? words[0] : undefined);
      const found = await candidates(asked, words, namesOfControlPlane);
      process.stdout.write(found.map(({ word, about }) => `${word}\t${about}\n`).join(''));
    });
};

/** None where only a file, or nothing that we know, can stand. */
export const candidates = async (
  program: Command,
  words: readonly string[],
  listNames: ListNames,
): Promise<readonly Candidate[]> => {
  const typed = words.at(-1) ?? '';
  const [name, ...before] = words.slice(0, -1);
  if (name === undefined) return startingWith(typed, commandsOf(program));
  const command = program.commands.find(each => each.name() === name);
  if (command === undefined) return [];
  const line = readLine(command, before);
  if (line.isOver) return [];
  if (line.wants !== undefined) return startingWith(typed, await valuesOf(line.wants, line, listNames));
  if (typed.startsWith('-')) return startingWith(typed, optionsOf(command));
  return startingWith(typed, await argumentsOf(command, line, listNames));
};

/** What stands before the word that is being typed. */
interface Line {
  readonly positional: readonly string[];
  readonly values: ReadonlyMap<string, string>;
  /** The option whose value comes next. */
  readonly wants: Option | undefined;
  /** Behind `--`: the words of another program. */
  readonly isOver: boolean;
}

const readLine = (command: Command, words: readonly string[]): Line => {
  const positional: string[] = [];
  const values = new Map<string, string>();
  let wants: Option | undefined;
  for (const word of words) {
    if (word === '--') return { positional, values, wants: undefined, isOver: true };
    if (wants !== undefined) {
      if (word === '=') continue; // bash makes three words of --output=json
      values.set(wants.attributeName(), word);
      wants = undefined;
    } else if (word.startsWith('-')) {
      const [flag = '', value] = word.split('=');
      const option = command.options.find(({ long, short }) => long === flag || short === flag);
      if (option === undefined || option.isBoolean()) continue;
      if (value === undefined) wants = option;
      else values.set(option.attributeName(), value);
    } else positional.push(word);
  }
  return { positional, values, wants, isOver: false };
};

const startingWith = (typed: string, all: readonly Candidate[]): readonly Candidate[] => {
  const start = typed === '=' ? '' : typed;
  return all.filter(({ word }) => word.startsWith(start));
};

const commandsOf = (program: Command): Candidate[] =>
  program
    .createHelp()
    .visibleCommands(program)
    .map(command => ({ word: command.name(), about: command.summary() || command.description() }));

const optionsOf = (command: Command): Candidate[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ word: long ?? short ?? '', about: description }));

const plain = (words: readonly string[]): Candidate[] => words.map(word => ({ word, about: '' }));

/** The value of an option: its choices, or names where the option is a reference to an object. */
const valuesOf = async (option: Option, { values }: Line, listNames: ListNames): Promise<readonly Candidate[]> => {
  if (option.argChoices !== undefined) return plain(option.argChoices);
  if (option.attributeName() === 'namespace') return plain(await listNames(NAMESPACE, undefined, flagsOf(values)));
  if (option.attributeName() === 'serviceAccount')
    return plain(await listNames(SERVICE_ACCOUNT, values.get('namespace') ?? 'default', flagsOf(values)));
  return [];
};

/** Arguments of the name `kind`, and `name` or `names` behind one. */
const argumentsOf = async (
  command: Command,
  { positional, values }: Line,
  listNames: ListNames,
): Promise<readonly Candidate[]> => {
  const declared: readonly Argument[] = command.registeredArguments;
  const last = declared.at(-1);
  const argument = declared[positional.length] ?? (last?.variadic === true ? last : undefined);
  if (argument?.argChoices !== undefined) return plain(argument.argChoices);
  if (argument?.name() === 'kind')
    return KINDS.map(({ plural, description }) => ({ word: plural, about: description }));
  if (argument?.name() !== 'name' && argument?.name() !== 'names') return [];
  const [kindName = '', ...given] = positional;
  const kind = findKind(kindName);
  const names = await listNames(kind, values.get('namespace') ?? 'default', flagsOf(values));
  return plain(names.filter(name => !given.includes(name)));
};

const flagsOf = (values: ReadonlyMap<string, string>): ClientFlags => {
  const [server, dataDir] = [values.get('server'), values.get('dataDir')];
  return { ...(server === undefined ? {} : { server }), ...(dataDir === undefined ? {} : { dataDir }) };
};

const namesOfControlPlane: ListNames = async (kind, namespace, flags) => {
  await using client = new Client(flags, process.env, ANSWER_MS);
  const { items } = (await client.call('GET', collectionPath(kind, namespace))) as {
    readonly items: readonly ApiObject[];
  };
  return items.map(({ metadata }) => metadata.name);
};
