import { type Command, Option } from 'commander';
import { report } from './failure.ts';
import type { Backend } from './init/backend.ts';
import { cleanUp, install } from './init/install.ts';
import { iptablesBackend } from './init/iptables-backend.ts';
import { type Machine, thisMachine } from './init/machine.ts';
import { nftBackend } from './init/nft-backend.ts';
import { RULE_FLAGS, type RuleFlags, readOptions } from './init/read-options.ts';
import { createRules, type InterceptionOptions } from './init/rules.ts';

interface InitFlags {
  readonly backend: Backend['name'] | 'auto';
  readonly ipv4Only?: true;
  readonly print?: true;
  readonly cleanup?: true;
  readonly [name: string]: string | true | undefined;
}

/** `outrider init`: the kernel hands an app's connections to its sidecar, or does so no more. */
export const registerInit = (program: Command, machineOf: () => Machine = thisMachine): void => {
  const command = program
    .command('init')
    .summary("redirects an app's connections to its sidecar")
    .description(
      'Installs rules in this network namespace (a machine, a container, a pod) that redirect new TCP connections to the sidecar, over IPv4 and IPv6. Running it again replaces them.',
    );
  for (const [flag, standard, about] of RULE_FLAGS)
    command.option(`--${flag} <value>`, `${about} (default: ${standard})`);
  command
    .addOption(
      new Option('--backend <which>', 'what tells the kernel; auto: nft where it works, else iptables')
        .choices(['auto', 'nft', 'iptables'])
        .default('auto'),
    )
    .option('--ipv4-only', 'leave IPv6 alone; so it is where the machine has none')
    .addOption(new Option('--print', 'the rules to standard output, nothing is changed').conflicts('cleanup'))
    .option('--cleanup', 'take the rules away')
    .addHelpText(
      'after',
      '\nExamples:\n  outrider init --proxy-uid 998 --exclude-outbound-ports 5432\n  outrider init --print\n  outrider init --cleanup\n',
    )
    .action(async (flags: InitFlags) => {
      const read = readOptions(ruleFlagsOf(flags));
      if ('problems' in read) {
        for (const { flag, reason } of read.problems) process.stderr.write(`outrider init: --${flag} ${reason}\n`);
        process.exitCode = 2;
        return;
      }
      try {
        await init(flags, read.options, machineOf());
      } catch (error) {
        report(error);
      }
    });
};

const init = async (flags: InitFlags, options: InterceptionOptions, machine: Machine): Promise<void> => {
  const both = [nftBackend(machine), iptablesBackend(machine)] as const;
  const [first, ...rest] = flags.backend === 'auto' ? both : both.filter(({ name }) => name === flags.backend);
  if (first === undefined) return;
  const hasIPv6 = machine.hasIPv6 && flags.ipv4Only !== true;
  const rules = createRules(options);
  const note = (text: string): boolean => process.stderr.write(`note: ${text}\n`);
  if (!machine.hasIPv6 && !flags.cleanup) note('this machine has no IPv6: the rules are for IPv4 only');
  if (flags.print) {
    process.stdout.write(first.print(rules, hasIPv6));
    return;
  }
  if (!machine.mayAdminister) {
    report('this needs the capability NET_ADMIN: run it as root, or add the capability to the container');
    return;
  }
  if (flags.cleanup) {
    const removed = await cleanUp([first, ...rest]);
    process.stdout.write(removed ? 'The rules are gone.\n' : 'There were no rules.\n');
    return;
  }
  const { name, notes } = await install([first, ...rest], both, rules, hasIPv6);
  for (const each of notes) note(each);
  process.stdout.write(
    `New connections are redirected (${name}, ${hasIPv6 ? 'IPv4 and IPv6' : 'IPv4 only'}): outbound to port ${options.outboundPort}, inbound to port ${options.inboundPort}.\n`,
  );
};

/** As commander calls them: `--proxy-uid` is `proxyUid`. */
const ruleFlagsOf = (flags: InitFlags): RuleFlags =>
  Object.fromEntries(
    RULE_FLAGS.flatMap(([flag]) => {
      const value = flags[flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
      return typeof value === 'string' ? [[flag, value]] : [];
    }),
  );
