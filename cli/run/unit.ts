import type { Beside, Companion } from '../../sidecar/companion.ts';
import { type Address, formatAddress } from '../../sidecar/config.ts';
import { appEnvironment } from './app-environment.ts';
import { openAddresses, portsAreOpen } from './app-ports.ts';
import { AppProcess, codeOfSignal } from './app-process.ts';

const ENDING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** What apps give a meaning of their own. */
const PASSED_ON = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

/**
 * An app and its sidecar as one unit: the app starts when the sidecar listens, and one ends with the other. The first signal to end is passed on when
 * nobody calls the app any more; a second one at once. Owned by the command `run`.
 */
export class Unit implements Companion {
  /** The app's; undefined when it never started. */
  exitCode: number | undefined = undefined;
  private readonly command: readonly [string, ...string[]];
  private readonly env: NodeJS.ProcessEnv;
  private readonly over = new AbortController();
  private app: AppProcess | undefined = undefined;
  private beside: Beside | undefined = undefined;
  private endedBy: NodeJS.Signals | undefined = undefined;

  constructor(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv) {
    this.command = command;
    this.env = env;
    for (const signal of ENDING) process.on(signal, () => this.end(signal));
    for (const signal of PASSED_ON) process.on(signal, () => this.app?.signal(signal));
  }

  start(beside: Beside): void {
    this.beside = beside;
    const [program, ...args] = this.command;
    const app = new AppProcess(program, args, appEnvironment(this.env, waysOf(beside)));
    this.app = app;
    const { config, admin, metrics } = beside;
    process.stderr.write(
      `outrider: ${config.service} has its sidecar: HTTP_PROXY=http://${formatAddress(waysOf(beside).outbound)}, ` +
        `metrics http://${formatAddress(metrics)}/metrics, admin http://${formatAddress(admin)}\n`,
    );
    void app.ended.then(code => {
      this.exitCode = code;
      this.over.abort();
      beside.quit();
    });
    void this.followPorts(beside);
  }

  async stop(withinMs: number): Promise<void> {
    await this.app?.stop(this.endedBy ?? 'SIGTERM', withinMs);
  }

  private end(signal: NodeJS.Signals): void {
    if (this.beside === undefined) process.exit(codeOfSignal(signal));
    if (this.endedBy !== undefined) this.app?.signal(signal);
    this.endedBy ??= signal;
    this.beside.quit();
  }

  private async followPorts({ config, appIsUp }: Beside): Promise<void> {
    const ports = config.appPorts.map(({ port }) => port);
    if (ports.length === 0 || !(await portsAreOpen(config.appAddress, ports, this.over.signal))) return;
    appIsUp();
    if (!isLoopback(config.appAddress)) return;
    const open = await openAddresses(ports);
    if (open.length > 0)
      process.stderr.write(
        `outrider: warning: ${config.service} also listens on ${open.join(', ')}, where callers go round the mesh; let it listen on ${config.appAddress} alone\n`,
      );
  }
}

const waysOf = ({ listeners }: Beside): { outbound: Address; upstreams: Map<string, Address> } => {
  const upstreams = new Map<string, Address>();
  let outbound: Address = { host: '127.0.0.1', port: 0 };
  for (const { name, address } of listeners) {
    const [kind, service] = name.split(' ');
    if (kind === 'outbound') outbound = address;
    if (kind === 'upstream' && service !== undefined) upstreams.set(service, address);
  }
  return { outbound, upstreams };
};

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');
