import { validateSnapshot } from '../api/validate-snapshot.ts';
import { systemClock } from '../common/clock.ts';
import { createLogger, type LogLevel, openLogOutput } from '../common/logger.ts';
import { adminRoutes } from './admin/admin-routes.ts';
import { type HttpServer, serveRoutes } from './admin/http-server.ts';
import { metricsRoutes } from './admin/metrics-routes.ts';
import { Readiness } from './admin/readiness.ts';
import { collectProxy, sidecarSources } from './admin/sidecar-sources.ts';
import { formatAddress, type SidecarConfig } from './config.ts';
import { SnapshotStore } from './discovery/snapshot-store.ts';
import { StateFolder } from './discovery/state-folder.ts';
import { CertificateStore } from './identity/certificate-store.ts';
import { Proxy } from './proxy.ts';
import { AccessLog } from './telemetry/access-log.ts';
import { LineWriter } from './telemetry/line-writer.ts';
import { Metrics } from './telemetry/metrics.ts';

/** Runs a sidecar until it is told to stop (SIGTERM, SIGINT, `/quitquitquit`); resolves with the exit code. */
export const runSidecar = async (config: SidecarConfig, version: string): Promise<number> => {
  const clock = systemClock;
  const output = openLogOutput();
  const log = createLogger(config.logLevel as LogLevel, output);
  const accessLines = new LineWriter(output);
  let folder: StateFolder;
  try {
    folder = new StateFolder(config.stateDir === '' ? undefined : config.stateDir);
  } catch (error) {
    log.error((error as Error).message);
    output.flushSync();
    return 1;
  }
  const store = new SnapshotStore(folder, validateSnapshot, clock, log.pino);
  const identities = new CertificateStore({ clock, stateDir: folder.path, onNotStored: sentence => log.error(sentence) });
  const metrics = new Metrics({ clock, build: { version, nodeVersion: process.version } });
  const accessLog = new AccessLog(config.accessLog, accessLines);
  metrics.onCollect('outrider_access_log_dropped_total', () => [{ labels: {}, value: accessLines.dropped }]);
  const readiness = new Readiness();
  readiness.require('config', 'There is no configuration yet.');
  readiness.require('identity', 'There is no certificate yet.');

  const loadState = (): void => {
    if (store.load()) readiness.meet('config');
    const refusal = identities.load();
    if (refusal === undefined) readiness.meet('identity');
    else log.error('The identity in the state folder is not used.', { reason: refusal.reason, sentence: refusal.sentence });
  };
  loadState();
  store.followFile();

  const proxy = new Proxy({ config, version, snapshots: store.snapshots, identities, metrics, accessLog, log, clock, random: Math.random });
  collectProxy(metrics, proxy, identities);
  store.snapshots.subscribe(() => readiness.meet('config'));

  let state: 'starting' | 'ready' | 'draining' = 'starting';
  let stopped: (code: number) => void = () => {};
  const whenStopped = new Promise<number>(resolve => {
    stopped = resolve;
  });
  const drain = async (): Promise<void> => {
    if (state === 'draining') return;
    state = 'draining';
    readiness.require('drain', 'The sidecar is draining.');
    log.info('Draining.', { timeout_ms: config.drainMs });
    await proxy.drain(config.drainMs);
  };
  const quit = (): void => {
    drain().then(
      () => stopped(0),
      error => {
        log.error('Draining failed.', { error });
        stopped(1);
      },
    );
  };
  const servers: HttpServer[] = [];
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, quit);
  process.on('SIGHUP', loadState);
  let code: number;
  try {
    await proxy.listen();
    const sources = sidecarSources({
      config,
      version,
      proxy,
      metrics,
      snapshots: store.snapshots,
      identities,
      readiness,
      state: () => state,
      controlPlane: () => '',
      drain: () => void drain(),
      quit,
      setLogLevel: level => {
        log.level = level;
      },
    });
    servers.push(await serveRoutes(config.admin, adminRoutes(sources), log));
    servers.push(await serveRoutes(config.metrics, metricsRoutes(metrics, () => readiness.state()), log));
    const [admin, metricsServer] = servers.map(server => formatAddress(server));
    state = 'ready';
    const listeners = Object.fromEntries(proxy.listeners.map(listener => [listener.name, formatAddress(listener.address)]));
    log.info('The sidecar is up.', { service: config.service, admin, metrics: metricsServer, listeners });
    code = await whenStopped;
  } catch (error) {
    log.error(`The sidecar can't start: ${(error as Error).message}`);
    code = 1;
  }
  for (const server of servers.reverse()) await server[Symbol.asyncDispose]();
  await metrics[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  accessLines.flush();
  output.flushSync();
  return code;
};
