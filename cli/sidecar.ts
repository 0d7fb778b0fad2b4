import type { Command } from 'commander';
import { systemClock } from '../common/clock.ts';
import type { Companion } from '../sidecar/companion.ts';
import { readConfig } from '../sidecar/config.ts';
import { version } from './version.ts';

/** Flags that stand for the variable of the same name: `--app-ports` is `OUTRIDER_APP_PORTS`. */
const SETTINGS: readonly (readonly [flag: string, about: string])[] = [
  ['service', 'the service that this workload belongs to'],
  ['namespace', 'its namespace (default: default)'],
  ['service-account', 'its service account (default: the service)'],
  ['app-ports', 'ports of the app: 8080, or http=8080,grpc=50051,thrift=9090'],
  ['app-address', 'where the app listens (default: 127.0.0.1)'],
  [
    'control-plane',
    'URLs, separated by commas; "none": the state folder is all there is (default: https://127.0.0.1:15012)',
  ],
  ['token-file', 'bootstrap token'],
  ['ca-file', "PEM bundle that the control plane's certificate must chain to"],
  ['inbound', 'mTLS from other sidecars (default: [::]:15006)'],
  ['outbound', 'plain text from the app (default: 127.0.0.1:15001)'],
  [
    'interception',
    "redirect: the kernel redirects the app's connections to the sidecar, see `outrider init` (default: none)",
  ],
  ['upstreams', 'one local port per service: payments=127.0.0.1:9101,…'],
  ['advertise', 'host:port that peers dial'],
  ['admin', 'admin server (default: 127.0.0.1:15000)'],
  ['metrics', 'metrics and health (default: 0.0.0.0:15020)'],
  ['state-dir', 'last good snapshot and certificate (default: a private temporary folder)'],
  ['labels', 'version=v2,…'],
  ['locality', 'region/zone'],
  ['drain', 'time to end in order (default: 30s)'],
  ['log-level', 'trace, debug, info, warn, error, fatal or silent (default: info)'],
  ['access-log', 'off, errors or all (default: errors)'],
  ['workers', 'threads that carry traffic (default: 1)'],
];

const variableOf = (flag: string): string => `OUTRIDER_${flag.toUpperCase().replaceAll('-', '_')}`;
const optionOf = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

interface SidecarFlags {
  readonly exitWithApp?: true;
  readonly [flag: string]: string | true | undefined;
}

export const registerSidecar = (program: Command): void => {
  const command = program
    .command('sidecar')
    .summary('the proxy beside an app')
    .description(
      'Runs the proxy beside an app. Every flag is also an environment variable: --app-ports is OUTRIDER_APP_PORTS; the flag wins.',
    );
  for (const [flag, about] of SETTINGS) command.option(`--${flag} <value>`, about);
  command.option(
    '--exit-with-app',
    'end when the app has ended: for a pod with shareProcessNamespace that ends by itself, as that of a Job does',
  );
  command.addHelpText(
    'after',
    '\nExample:\n  outrider sidecar --service web --app-ports http=8080 --upstreams payments=127.0.0.1:9101\n',
  );
  command.action(async ({ exitWithApp, ...options }: SidecarFlags) => {
    const env = { ...process.env };
    for (const [flag] of SETTINGS) {
      const value = options[optionOf(flag)];
      if (typeof value === 'string') env[variableOf(flag)] = value;
    }
    const result = readConfig(env);
    if ('problems' in result) {
      for (const { variable, reason } of result.problems)
        process.stderr.write(`outrider sidecar: ${variable} ${reason}\n`);
      process.exitCode = 2;
      return;
    }
    const { runSidecar } = await import('../sidecar/main.ts');
    process.exit(await runSidecar(result.config, version, exitWithApp ? await podApp() : undefined));
  });
};

const podApp = async (): Promise<Companion> => {
  const { PodApp, otherProcesses } = await import('./sidecar/pod-app.ts');
  return new PodApp({
    clock: systemClock,
    processes: otherProcesses,
    onSignal: quit => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, quit);
    },
  });
};
