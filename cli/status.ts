import { type Command, Option } from 'commander';
import type { Stored } from '../api/object.ts';
import { SIDECAR, type Sidecar } from '../api/sidecar.ts';
import { formatDuration } from '../common/duration.ts';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { report } from './failure.ts';
import { formatTable, type Table } from './print-table.ts';
import { collectionPath } from './resource-names.ts';

interface StatusFlags extends ClientFlags {
  readonly namespace?: string;
  readonly output: 'table' | 'json';
}

/** `outrider status`: what each sidecar has, or why it refused it. */
export const registerStatus = (program: Command): void => {
  addClientFlags(
    program
      .command('status')
      .summary('what each sidecar has: synced, stale or refused, and why')
      .description(
        'Shows for each sidecar whether it has the newest configuration, or why it refused it; how old that is, how long its certificate holds, and how far its clock is off.',
      )
      .option('-n, --namespace <name>', 'only this namespace (default: all)')
      .addOption(new Option('-o, --output <form>').choices(['table', 'json']).default('table')),
  )
    .addHelpText('after', '\nExample:\n  outrider status -n shop\n')
    .action(async (flags: StatusFlags) => {
      try {
        await using client = new Client(flags, process.env);
        const { items } = (await client.call('GET', collectionPath(SIDECAR, flags.namespace))) as {
          readonly items: readonly Stored<Sidecar>[];
        };
        process.stdout.write(flags.output === 'json' ? statusJson(items, Date.now()) : statusTable(items, Date.now()));
      } catch (error) {
        report(error);
      }
    });
};

/** What is shown of one sidecar; times in milliseconds, null where there is none. */
const summarize = ({ metadata, spec, status }: Stored<Sidecar>, nowMs: number) => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  service: spec.service,
  state: status?.state ?? 'Disconnected',
  configVersion: status?.acked.config ?? '',
  configAgeMs: since(status?.ackedAt, nowMs),
  certificateLeftMs: status ? Date.parse(status.certificateExpiresAt) - nowMs : null,
  clockSkewMs: status?.clockSkewMs ?? 0,
  reason: status?.refused ? `${status.refused.path}: ${status.refused.reason}` : '',
});

/** One line for each sidecar. A clock that is off by more than 30 s is marked: certificates and tokens depend on it. */
export const statusTable = (items: readonly Stored<Sidecar>[], nowMs: number): string => {
  if (items.length === 0) return 'no sidecar is connected\n';
  const names = ['Name', 'Service', 'State', 'Config', 'Config-Age', 'Certificate', 'Clock-Skew', 'Reason'];
  const table: Table = {
    columnDefinitions: names.map(name => ({ name, priority: 0 })),
    rows: items.map(item => {
      const line = summarize(item, nowMs);
      return {
        object: { metadata: { namespace: line.namespace } },
        cells: [
          line.name,
          line.service || '-',
          line.state,
          line.configVersion || '-',
          line.configAgeMs === null ? '-' : readable(line.configAgeMs),
          line.certificateLeftMs === null
            ? '-'
            : line.certificateLeftMs <= 0
              ? 'expired'
              : `${readable(line.certificateLeftMs)} left`,
          formatSkew(line.clockSkewMs),
          line.reason,
        ],
      };
    }),
  };
  return formatTable(table, { wide: false, withNamespace: true, withHeader: true })
    .map(line => `${line}\n`)
    .join('');
};

export const statusJson = (items: readonly Stored<Sidecar>[], nowMs: number): string =>
  `${JSON.stringify({ sidecars: items.map(item => summarize(item, nowMs)) }, undefined, 2)}\n`;

const SKEWED_MS = 30_000;

const formatSkew = (ms: number): string => {
  const text = `${ms < 0 ? '-' : '+'}${readable(Math.abs(ms))}`;
  return Math.abs(ms) > SKEWED_MS ? `${text} (too much)` : text;
};

const since = (time: string | undefined, nowMs: number): number | null =>
  time === undefined || time === '' ? null : Math.max(0, nowMs - Date.parse(time));

/** Seconds below an hour, minutes above. */
const readable = (ms: number): string => {
  const unit = ms < 3_600_000 ? 1_000 : 60_000;
  return formatDuration(Math.floor(ms / unit) * unit);
};
