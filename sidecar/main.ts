import type { Report } from '../api/discovery.ts';
import { validateSnapshot } from '../api/validate-snapshot.ts';
import { systemClock } from '../common/clock.ts';
import type { LogOutput } from '../common/log-output.ts';
import { createLogger, type Logger, type LogLevel, openLogOutput } from '../common/logger.ts';
import { adminRoutes } from './admin/admin-routes.ts';
import { appProbeRoutes } from './admin/app-probe-routes.ts';
import { collectHealthChecks } from './admin/health-check-rows.ts';
import { serveRoutes } from './admin/http-server.ts';
import { metricsRoutes } from './admin/metrics-routes.ts';
import { Readiness } from './admin/readiness.ts';
import { sidecarSources } from './admin/sidecar-sources.ts';
import type { Companion } from './companion.ts';
import { formatAddress, type SidecarConfig } from './config.ts';
import { type Discovery, startDiscovery } from './discovery/discovery.ts';
import { StateFolder } from './discovery/state-folder.ts';
import { HealthChecks } from './health/health-checks.ts';
import { CertificateStore } from './identity/certificate-store.ts';
import { Lifecycle } from './lifecycle.ts';
import { SidecarProxy } from './proxy.ts';
import { AccessLog } from './telemetry/access-log.ts';
import { collectShared, collectWorker } from './telemetry/collect-proxy.ts';
import { LineWriter } from './telemetry/line-writer.ts';
import { Metrics } from './telemetry/metrics.ts';
import { SharedCells } from './workers/cells.ts';
import { type Drainable, drainInOrder } from './workers/drain-in-order.ts';
import { ALONE, type Place } from './workers/place.ts';
import { WorkerGroup } from './workers/worker-group.ts';

/**
 * Runs a sidecar until it is told to stop (SIGTERM, SIGINT, `/quitquitquit`); resolves with the exit code: 0, or 1 and the log says why.
 * With a `companion`, signals and standard output are the app's: the log goes to standard error.
 */
export const runSidecar = async (config: SidecarConfig, version: string, companion?: Companion): Promise<number> => {
  const output = openLogOutput(companion === undefined ? 1 : 2);
  const log = createLogger(config.logLevel as LogLevel, output);
  try {
    await run(config, version, log, output, companion);
    return 0;
  } catch (error) {
    log.error(`The sidecar can't run: ${(error as Error).message}`);
    return 1;
  } finally {
    output.flushSync();
  }
};

/** The condition of readiness that the app listens. */
const APP = 'app';
/** The condition that there is a configuration, which says how the app is checked. */
const CONFIG = 'config';

type RootLog = ReturnType<typeof createLogger>;

/** Builds the owners in order, waits, and lets them go in reverse. */
const run = async (
  config: SidecarConfig,
  version: string,
  log: RootLog,
  output: LogOutput,
  companion: Companion | undefined,
): Promise<void> => {
  const clock = systemClock;
  const accessLines = new LineWriter(output);
  await using owners = new AsyncDisposableStack();
  owners.defer(() => accessLines.flush());
  const folder = owners.use(new StateFolder(config.stateDir === '' ? undefined : config.stateDir));
  const identities = new CertificateStore({
    clock,
    stateDir: folder.path,
    onNotStored: sentence => log.error(sentence),
  });
  const metrics = owners.use(new Metrics({ clock, build: { version, nodeVersion: process.version } }));
  metrics.onCollect('outrider_access_log_dropped_total', () => [{ labels: {}, value: accessLines.dropped }]);
  const readiness = new Readiness();
  let proxy: SidecarProxy | undefined;
  const discovery: Discovery = owners.use(
    startDiscovery({
      ...config,
      folder,
      validate: validateSnapshot,
      certificates: identities,
      description: {
        release: version,
        service: config.service,
        ports: config.appPorts,
        labels: config.labels,
        locality: config.locality,
        advertise: localAddress => advertised(config, proxy, localAddress),
        health: () => ({ ready: readiness.state().ready, ...appHealth(readiness, checks, lifecycle) }),
      },
      upstreams: config.upstreams.map(upstream => upstream.service),
      inUse: service => proxy?.routing.clusters.inUse(service) ?? true,
      clock,
      random: Math.random,
      log: log.pino,
    }),
  );
  // Before the configuration counts as there: what it declares must be met first.
  const checks: HealthChecks = owners.use(
    new HealthChecks({
      snapshots: discovery.snapshots,
      appAddress: config.appAddress,
      readiness,
      clock,
      random: Math.random,
      log,
      onChange: () => discovery.report(),
    }),
  );
  const cells = new SharedCells();
  let workers: WorkerGroup | undefined;
  const place: Place =
    config.workers === 1
      ? ALONE
      : { ...ALONE, count: config.workers, cells: cells.of, tell: news => workers?.tell(news) };
  proxy = new SidecarProxy({
    place,
    config,
    version,
    discovery,
    identities,
    metrics,
    accessLog: new AccessLog(config.accessLog, accessLines),
    log,
    clock,
    random: Math.random,
  });
  const planes: Drainable[] = [proxy];
  const lifecycle = new Lifecycle({
    proxy: { drain: (timeoutMs, endApp) => drainInOrder(planes, timeoutMs, clock, endApp) },
    discovery,
    readiness,
    drainMs: config.drainMs,
    clock,
    log,
    companion,
  });
  owners.defer(() => proxy.close());
  collectWorker(metrics, proxy);
  collectShared(metrics, proxy, identities);
  collectHealthChecks(metrics, checks);
  metrics.onCollect('outrider_config_age_seconds', () => {
    const { configAgeMs } = discovery.status();
    return configAgeMs === undefined ? [] : [{ labels: {}, value: configAgeMs / 1_000 }];
  });
  followReadiness(readiness, discovery, identities);
  if (companion === undefined) followSignals(lifecycle, discovery);
  else if (config.appPorts.length > 0) readiness.require(APP, 'The app does not listen yet.');

  await proxy.listen();
  if (config.workers > 1) {
    const controlled = config.controlPlanes.length > 0;
    const group = owners.use(
      new WorkerGroup({ config, version, discovery, controlled, identities, cells, proxy, readiness, output, clock }),
    );
    workers = group;
    planes.push(group);
    metrics.others = () => group.metrics();
    await group.listen();
  }
  const sources = sidecarSources({
    config,
    version,
    proxy,
    metrics,
    discovery,
    identities,
    readiness,
    checks,
    lifecycle,
    log,
    workers,
  });
  const admin = owners.use(await serveRoutes(config.admin, adminRoutes(sources), log));
  const metricsServer = owners.use(
    await serveRoutes(
      config.metrics,
      { ...metricsRoutes(metrics, () => readiness.state()), ...appProbeRoutes(config.appProbes, config.appAddress) },
      log,
    ),
  );
  announce(log, config, proxy, formatAddress(admin), formatAddress(metricsServer));
  companion?.start({
    config,
    listeners: proxy.listeners,
    admin,
    metrics: metricsServer,
    appIsUp: () => {
      readiness.meet(APP);
      discovery.report();
    },
    quit: () => lifecycle.quit(),
  });
  await (workers === undefined ? lifecycle.stopped : Promise.race([lifecycle.stopped, workers.failed]));
};

/** What peers dial: as configured, else our inbound port at its own address, or at the one that the control plane sees us by. */
const advertised = (config: SidecarConfig, proxy: SidecarProxy | undefined, localAddress: string): string => {
  if (config.advertise !== undefined) return formatAddress(config.advertise);
  const port = proxy?.listeners.find(listener => listener.name === 'inbound')?.address.port ?? config.inbound.port;
  const { host } = config.inbound;
  return formatAddress({ host: host === '::' || host === '0.0.0.0' ? localAddress : host, port });
};

/** Whether callers should be sent to the app, and if not, why. */
const appHealth = (
  readiness: Readiness,
  checks: HealthChecks,
  lifecycle: Lifecycle,
): { readonly health: Report['health']; readonly reason: string } => {
  if (lifecycle.draining) return { health: 'Draining', reason: 'The sidecar is draining.' };
  const unknown = readiness.reasonOf(CONFIG);
  if (unknown !== '') return { health: 'Starting', reason: unknown };
  const reason = readiness.reasonOf(APP) || checks.reason;
  return { health: reason === '' ? 'Healthy' : 'Unhealthy', reason };
};

const followReadiness = (readiness: Readiness, discovery: Discovery, identities: CertificateStore): void => {
  const check = (): void => {
    const before = readiness.state().ready;
    if (discovery.snapshots.value.configVersion === '') readiness.require(CONFIG, 'There is no configuration yet.');
    else readiness.meet(CONFIG);
    if (identities.current === undefined) readiness.require('identity', 'There is no certificate yet.');
    else readiness.meet('identity');
    if (readiness.state().ready !== before) discovery.report();
  };
  check();
  discovery.snapshots.subscribe(check);
  identities.onChange(check);
};

const followSignals = (lifecycle: Lifecycle, discovery: Discovery): void => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => lifecycle.quit());
  process.on('SIGHUP', () => discovery.reload());
};

const announce = (log: Logger, config: SidecarConfig, proxy: SidecarProxy, admin: string, metrics: string): void => {
  const listeners = Object.fromEntries(
    proxy.listeners.map(listener => [listener.name, formatAddress(listener.address)]),
  );
  log.info('The sidecar is up.', { service: config.service, namespace: config.namespace, admin, metrics, listeners });
};
