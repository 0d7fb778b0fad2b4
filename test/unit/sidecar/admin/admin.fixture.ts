import pino from 'pino';
import type { RootLogger } from '../../../../common/logger.ts';
import type { AdminSources, ServerInfo } from '../../../../sidecar/admin/sources.ts';

const INFO: ServerInfo = {
  version: '1.0.0',
  node_version: 'v26',
  pid: 7,
  state: 'ready',
  uptime_seconds: 12,
  service: 'web',
  namespace: 'shop',
  identity: '',
  control_plane: 'https://127.0.0.1:15012',
  config_version: 'c1',
  endpoint_version: 'e1',
  workers: 1,
};

/** Sources that note what they were told to do. */
export const fakeSources = (calls: string[], changes: Partial<AdminSources> = {}): AdminSources => ({
  ready: () => ({ ready: true, reasons: [] }),
  serverInfo: () => INFO,
  configDump: () => ({
    snapshot: { services: [] },
    key: '-----BEGIN PRIVATE KEY-----\nabc',
    token: 'eyJhbGci.eyJzdWIi.c2ln',
  }),
  clusters: () => [
    { service: 'payments.shop', endpoint: '10.0.0.7:15006', state: 'ready', active_requests: 3 },
    { service: 'ledger.books', endpoint: '10.0.0.8:15006', state: 'ejected', active_requests: 0 },
  ],
  certs: () => [{ certificate: 'workload', days_left: 1 }],
  listeners: () => [],
  stats: async function* () {
    yield 'a 1\n';
    yield 'b 2\n';
  },
  drain: () => void calls.push('drain'),
  quit: () => void calls.push('quit'),
  setLogLevel: level => void calls.push(`level ${level}`),
  ...changes,
});

/** A logger that notes what it was told. */
export const fakeLogger = (messages: string[]): RootLogger => {
  const note = (message: string): void => void messages.push(message);
  const logger: RootLogger = {
    level: 'info',
    debug: note,
    info: note,
    warn: note,
    error: note,
    child: () => logger,
    pino: pino({ level: 'silent' }),
  };
  return logger;
};
