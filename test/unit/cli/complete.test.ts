import { Argument, Command, Option } from 'commander';
import t from 'tap';
import { candidates, type ListNames } from '../../../cli/complete.ts';

const program = (): Command => {
  const root = new Command('outrider');
  root
    .command('get')
    .summary('lists')
    .argument('<kind>')
    .argument('[name]')
    .option('-n, --namespace <name>', 'where')
    .option('-w, --watch', 'goes on')
    .addOption(new Option('-o, --output <form>').choices(['table', 'json']))
    .addOption(new Option('--secret').hideHelp());
  root
    .command('delete')
    .argument('[kind]')
    .argument('[names...]')
    .option('--data-dir <folder>')
    .option('--server <url>');
  root.command('run').argument('<command...>').option('--service-account <name>').option('--namespace <name>');
  root.command('completion').addArgument(new Argument('<shell>').choices(['bash', 'zsh']));
  root.command('complete', { hidden: true });
  return root;
};

const listNames: ListNames = async ({ plural }, namespace = '*', flags) => [
  `${plural}-${namespace}`,
  ...Object.values(flags).map(String),
];

const complete = async (...words: readonly string[]): Promise<string[]> =>
  (await candidates(program(), words, listNames)).map(({ word }) => word);

t.test('commands, options and choices are the declared ones', async t => {
  t.same(await complete(''), ['get', 'delete', 'run', 'completion', 'help'], 'hidden ones are not offered');
  t.same(await complete('de'), ['delete']);
  t.same(await complete('get', '--'), ['--namespace', '--watch', '--output', '--help']);
  t.same(await complete('get', '-o', ''), ['table', 'json']);
  t.same(await complete('get', '--output', '=', 'j'), ['json'], 'as bash splits --output=j');
  t.same(await complete('get', '--output', '='), ['table', 'json']);
  t.same(await complete('completion', 'z'), ['zsh']);
  t.same(await complete('nonsense', ''), []);
});

t.test('kinds come first, then names of that kind', async t => {
  t.same(await complete('get', 'ser'), ['serviceaccounts', 'services']);
  t.same(await complete('get', '-w', '-o', 'json', 'httpr'), ['httproutes']);
  t.same(await complete('get', 'svc', ''), ['services-default']);
  t.same(await complete('get', 'svc', '-n', 'shop', ''), ['services-shop']);
  t.same(await complete('get', '--namespace=shop', 'svc', ''), ['services-shop']);
  t.same(await complete('get', 'svc', 'one', ''), [], 'one name only');
  t.same(await complete('delete', 'svc', 'one', ''), ['services-default'], 'or any number');
  t.same(await complete('delete', 'svc', 'services-default', ''), [], 'none twice');
  t.same(await complete('delete', '--server', 'https://x', 'svc', 'http'), ['https://x'], 'asks where the flags say');
  t.same(await complete('delete', '--data-dir', './d', 'svc', './'), ['./d']);
});

t.test('options that refer to objects offer their names', async t => {
  t.same(await complete('get', '-n', ''), ['namespaces-*']);
  t.same(await complete('run', '--namespace', 'shop', '--service-account', ''), ['serviceaccounts-shop']);
});

t.test('behind -- stands another program', async t => {
  t.same(await complete('run', '--', ''), []);
  t.same(await complete('run', '--', 'get', '-'), []);
});
