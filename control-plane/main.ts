import { systemClock } from '../common/clock.ts';
import { createLogger, type LogLevel, openLogOutput } from '../common/logger.ts';
import { ControlPlane, type ListenAddress } from './control-plane.ts';

/** What the command line decides. */
export interface ControlPlaneConfig {
  readonly dataDir: string;
  readonly rest: ListenAddress;
  readonly channel: ListenAddress;
  readonly metrics: ListenAddress;
  readonly trustDomain: string;
  readonly certificateLifetimeMs: number;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly logLevel: LogLevel;
}

/** Runs a control plane until SIGTERM or SIGINT; resolves with the exit code. */
export const runControlPlane = async (config: ControlPlaneConfig, release: string): Promise<number> => {
  const output = openLogOutput();
  const log = createLogger(config.logLevel, output);
  const stopped = new Promise<void>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  try {
    await using plane = await ControlPlane.start({
      ...config,
      release,
      clock: systemClock,
      random: Math.random,
      log: log.pino,
    });
    const { rest, channel, metrics } = plane;
    log.info('The control plane is ready.', {
      rest: plane.restUrl,
      rest_port: rest.port,
      channel_port: channel.port,
      metrics_port: metrics.port,
      data_dir: config.dataDir,
    });
    await stopped;
    log.info('The control plane stops.');
  } catch (error) {
    log.error((error as Error).message);
    return 1;
  } finally {
    output.flushSync();
  }
  return 0;
};
