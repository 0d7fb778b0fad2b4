import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CERTIFICATE_LIFETIME_MS } from '../certs/issue-certificate.ts';
import { formatDuration, parseDuration } from '../common/duration.ts';
import { LOG_LEVELS, type LogLevel } from '../common/logger.ts';
import type { ListenAddress } from '../control-plane/control-plane.ts';
import { defaultDataDir } from './data-dir.ts';
import { version } from './version.ts';

interface ControlPlaneFlags {
  readonly dataDir?: string;
  readonly rest: ListenAddress;
  readonly channel: ListenAddress;
  readonly metrics: ListenAddress;
  readonly trustDomain: string;
  readonly certificateLifetime: number;
  readonly name: readonly string[];
  readonly logLevel: LogLevel;
}

const parseAddress = (text: string): ListenAddress => {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('It must be like 127.0.0.1:15010 or [::1]:0.');
  return { host, port: Number(port) };
};

const parseLifetime = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('It must be a duration such as 24h or 90m.');
  return ms;
};

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `outrider control-plane`: runs one until it is told to stop. */
export const registerControlPlane = (program: Command): void => {
  const address = (flag: string, about: string, text: string) =>
    new Option(`--${flag} <host:port>`, about).argParser(parseAddress).default(parseAddress(text), text);
  program
    .command('control-plane')
    .summary('issues identities, takes configuration, pushes it to sidecars')
    .description(
      'Runs a control plane. The first start makes a CA, an admin token and a kubeconfig in the data directory.',
    )
    .option(
      '--data-dir <folder>',
      'state and secrets (OUTRIDER_DATA_DIR; default: outrider under $XDG_STATE_HOME or ~/.local/state)',
    )
    .addOption(address('rest', 'REST API', '127.0.0.1:15010'))
    .addOption(address('channel', 'certificates and push for sidecars', '0.0.0.0:15012'))
    .addOption(address('metrics', 'metrics and health', '0.0.0.0:15014'))
    .option('--trust-domain <name>', 'of all identities', 'mesh.local')
    .addOption(
      new Option('--certificate-lifetime <duration>', 'of the certificates of sidecars')
        .argParser(parseLifetime)
        .default(DEFAULT_CERTIFICATE_LIFETIME_MS, formatDuration(DEFAULT_CERTIFICATE_LIFETIME_MS)),
    )
    .addOption(
      new Option(
        '--name <name>',
        'a DNS name or address by which clients reach it, beside those of this machine; may be repeated',
      )
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(new Option('--log-level <level>').choices(LOG_LEVELS).default('info'))
    .addHelpText('after', '\nExample:\n  outrider control-plane --data-dir ./mesh --rest 127.0.0.1:0\n')
    .action(async ({ dataDir = defaultDataDir(process.env), name: names, ...flags }: ControlPlaneFlags) => {
      const { runControlPlane } = await import('../control-plane/main.ts');
      const config = {
        dataDir,
        rest: flags.rest,
        channel: flags.channel,
        metrics: flags.metrics,
        trustDomain: flags.trustDomain,
        certificateLifetimeMs: flags.certificateLifetime,
        logLevel: flags.logLevel,
        dnsNames: names.filter(each => isIP(each) === 0),
        ipAddresses: names.filter(each => isIP(each) !== 0),
      };
      process.exit(await runControlPlane(config, version));
    });
};
