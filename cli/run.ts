import type { Command } from 'commander';
import { readConfig, type SidecarConfig } from '../sidecar/config.ts';
import { addClientFlags, type ClientFlags } from './client.ts';
import { report } from './failure.ts';
import { version } from './version.ts';

interface RunFlags extends ClientFlags {
  readonly upstream: readonly string[];
  readonly [name: string]: string | readonly string[] | undefined;
}

/** Flags that stand for a variable of the sidecar. */
const SETTINGS: readonly (readonly [flag: string, variable: string, about: string])[] = [
  ['service <name>', 'OUTRIDER_SERVICE', 'the service that the app is an instance of'],
  ['port <ports>', 'OUTRIDER_APP_PORTS', 'where it listens: 8080, or http=8080,grpc=50051; none: it only calls others'],
  ['namespace <name>', 'OUTRIDER_NAMESPACE', 'its namespace (default: default)'],
  ['service-account <name>', 'OUTRIDER_SERVICE_ACCOUNT', 'its service account (default: the service)'],
  ['labels <list>', 'OUTRIDER_LABELS', 'version=v2,…'],
  ['locality <place>', 'OUTRIDER_LOCALITY', 'region/zone'],
  ['drain <duration>', 'OUTRIDER_DRAIN', 'time to end in order (default: 30s)'],
  ['control-plane <urls>', 'OUTRIDER_CONTROL_PLANE', 'its sidecar channel (default: https://127.0.0.1:15012)'],
  ['log-level <level>', 'OUTRIDER_LOG_LEVEL', "of the sidecar's log on standard error (default: warn)"],
  ['access-log <which>', 'OUTRIDER_ACCESS_LOG', 'off, errors or all (default: errors)'],
];

/** Free ports, so that any number of units fit on one machine. */
const DEFAULTS: NodeJS.ProcessEnv = {
  OUTRIDER_INBOUND: '[::]:0',
  OUTRIDER_OUTBOUND: '127.0.0.1:0',
  OUTRIDER_ADMIN: '127.0.0.1:0',
  OUTRIDER_METRICS: '127.0.0.1:0',
  OUTRIDER_LOG_LEVEL: 'warn',
};

/** `outrider run`: an app and its sidecar as one unit. */
export const registerRun = (program: Command): void => {
  const command = addClientFlags(
    program
      .command('run')
      .summary('an app and its sidecar as one unit')
      .description(
        "Starts an app with a sidecar beside it. The app's calls go through the sidecar by HTTP_PROXY, http_proxy and grpc_proxy, or by a local port for each --upstream; variables of the sidecar (OUTRIDER_…) hold here too. Signals and the exit code are passed through.",
      )
      .argument('<command...>', 'the app and its arguments, behind --')
      .option(
        '--upstream <name=port>',
        'a local port that leads to this service, whatever the protocol; may be repeated. The app finds it in OUTRIDER_UPSTREAM_<NAME>; port 0: a free one',
        (value: string, before: readonly string[]) => [...before, value],
        [] as readonly string[],
      ),
  );
  for (const [flag, , about] of SETTINGS) command.option(`--${flag}`, about);
  command.addHelpText(
    'after',
    '\nExamples:\n  outrider run --service web --port 8080 -- python3 app.py\n  outrider run --service shop --upstream payments=9101 -- node client.js\n',
  );
  command.action(async (words: readonly string[], flags: RunFlags) => {
    const [program, ...args] = words;
    const config = configOf(flags, process.env);
    if (config === undefined || program === undefined) {
      process.exitCode = 2;
      return;
    }
    await run(config, [program, ...args], flags);
  });
};

/** Undefined when something is wrong, which standard error then says. */
const configOf = (flags: RunFlags, env: NodeJS.ProcessEnv): SidecarConfig | undefined => {
  const settings = { ...DEFAULTS };
  for (const [name, value] of Object.entries(env)) if (value !== '') settings[name] = value;
  for (const [flag, variable] of SETTINGS) {
    const value = flags[optionOf(flag)];
    if (typeof value === 'string') settings[variable] = value;
  }
  if (flags.upstream.length > 0)
    settings.OUTRIDER_UPSTREAMS = flags.upstream.map(each => each.replace(/=([0-9]+)$/, '=127.0.0.1:$1')).join(',');
  const result = readConfig(settings);
  if ('config' in result) return result.config;
  for (const { variable, reason } of result.problems) {
    const [flag] = SETTINGS.find(([, of]) => of === variable) ?? [];
    const name = variable === 'OUTRIDER_UPSTREAMS' ? '--upstream' : flag ? `--${flag.split(' ')[0]}` : variable;
    process.stderr.write(`outrider run: ${name} ${reason}\n`);
  }
  return undefined;
};

const run = async (config: SidecarConfig, words: readonly [string, ...string[]], flags: ClientFlags): Promise<void> => {
  const [{ Unit }, { bootstrap }, { runSidecar }] = await Promise.all([
    import('./run/unit.ts'),
    import('./run/bootstrap.ts'),
    import('../sidecar/main.ts'),
  ]);
  let files = {};
  if (config.tokenFile === '' && config.controlPlanes.length > 0)
    try {
      files = await bootstrap(flags, config, process.env);
    } catch (error) {
      report(error);
      return;
    }
  const unit = new Unit(words, process.env);
  const code = await runSidecar({ ...config, ...files }, version, unit);
  if (unit.exitCode === undefined) await unit.stop(config.drainMs); // the sidecar failed
  process.exit(unit.exitCode ?? code);
};

/** As commander calls it: `service-account <name>` is `serviceAccount`. */
const optionOf = (flag: string): string =>
  flag.replace(/ .*/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
