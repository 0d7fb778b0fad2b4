/** A mesh as a user starts it: `outrider control-plane`, and `outrider run` for each program, all processes of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { ControlPlaneProcess } from './control-plane-process.ts';
import { freePort } from './ports.ts';
import { RunningProcess, runToEnd } from './processes.ts';
import { parseSamples, type Sample } from './prometheus-text.ts';
import { type Answer, RestClient } from './rest-client.ts';
import { waitFor } from './wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/**
 * An app that is told how to behave on its own port, round the mesh: `PUT /behave?status=503&delay=100`, and `GET /served` says how many requests
 * came since it was last asked. `/healthz` answers what `PUT /health?status=503` or `HEALTH` says. `LISTEN_AFTER` milliseconds pass before it listens.
 */
const APP = `
const http = require('node:http');
let status = 200, delay = 0, served = 0, health = Number(process.env.HEALTH ?? 200);
console.log('PID ' + process.pid);
const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const url = new URL(request.url, 'http://app');
  if (url.pathname === '/behave') {
    status = Number(url.searchParams.get('status') ?? 200);
    delay = Number(url.searchParams.get('delay') ?? 0);
    return response.end();
  }
  if (url.pathname === '/health') {
    health = Number(url.searchParams.get('status'));
    return response.end();
  }
  if (url.pathname === '/healthz') return response.writeHead(health).end();
  if (url.pathname === '/served') {
    response.end(String(served));
    served = 0;
    return;
  }
  if (url.pathname === '/crash') process.exit(3);
  served++;
  request.resume().on('end', () => setTimeout(() => response.writeHead(status, { 'content-length': 2 }).end('ok'), delay));
});
setTimeout(() => server.listen(Number(process.env.PORT), process.env.HOST), Number(process.env.LISTEN_AFTER ?? 0));
`;
/** A program that only calls: the test speaks for it, through its sidecar. */
const CALLER = 'setInterval(() => {}, 1_000)';

export interface UnitOptions {
  readonly service: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The app, told round the mesh. */
export class App {
  /** `host:port`. */
  private readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  private async tell(method: 'GET' | 'PUT', path: string): Promise<string> {
    const answer = await request(`http://${this.address}${path}`, { method });
    return answer.body.text();
  }

  async behave(status: number, delayMs = 0): Promise<void> {
    await this.tell('PUT', `/behave?status=${status}&delay=${delayMs}`);
  }

  get port(): number {
    return Number(this.address.split(':')[1]);
  }

  /** What the app answers to health checks from now on. */
  async health(status: number): Promise<void> {
    await this.tell('PUT', `/health?status=${status}`);
  }

  /** Requests that reached the app since this was last asked. */
  async served(): Promise<number> {
    return Number(await this.tell('GET', '/served'));
  }

  /** It ends at once, with exit code 3. */
  async crash(): Promise<void> {
    await this.tell('PUT', '/crash').catch(() => {});
  }
}

/** One `outrider run`. Owned by the mesh. */
export class Unit extends App {
  readonly process: RunningProcess;

  constructor(process: RunningProcess, address: string) {
    super(address);
    this.process = process;
  }

  /** `host:port` of what the sidecar says at its start. */
  private said(pattern: RegExp): Promise<string> {
    return waitFor(`${this.process.name} to say ${pattern}`, () => {
      if (this.process.exit !== undefined) throw new Error(this.process.output());
      return pattern.exec(this.process.stderr)?.[1];
    });
  }

  outbound(): Promise<string> {
    return this.said(/HTTP_PROXY=(http:\/\/[^,]+),/);
  }

  /** `host:port`. */
  metricsAddress(): Promise<string> {
    return this.said(/metrics http:\/\/([^/]+)\//);
  }

  async isReady(): Promise<boolean> {
    const answer = await request(`http://${await this.metricsAddress()}/healthz/ready`);
    await answer.body.dump();
    return answer.statusCode === 200;
  }

  ready(): Promise<boolean> {
    return waitFor(`${this.process.name} to be ready`, () => this.isReady(), 30_000);
  }

  async samples(): Promise<Sample[]> {
    const answer = await request(`http://${await this.metricsAddress()}/metrics`);
    return parseSamples(await answer.body.text());
  }

  async admin(path: string): Promise<string> {
    const answer = await request(`${await this.said(/admin (http:\/\/\S+)\n/)}${path}`);
    return answer.body.text();
  }

  /** `kill -9` of the sidecar and of the app, and until both are gone. */
  async kill(): Promise<void> {
    const [, pid] = /PID (\d+)/.exec(this.process.stdout) ?? [];
    this.process.signal('SIGKILL');
    if (pid !== undefined) process.kill(Number(pid), 'SIGKILL');
    await this.process.exited;
  }
}

interface Place {
  readonly HOST: string;
  readonly OUTRIDER_APP_ADDRESS: string;
  readonly PORT: string;
}
const addressOf = ({ HOST, PORT }: Place): string => `${HOST}:${PORT}`;

/** Owned by the test. */
export class RunningMesh implements AsyncDisposable {
  readonly plane: ControlPlaneProcess;
  private readonly directory: string;
  private readonly app: readonly string[];
  private readonly processes: RunningProcess[] = [];
  private readonly ports = new Map<string, Promise<number>>();
  private readonly starts = new WeakMap<Unit, Readonly<Parameters<RunningMesh['unit']>>>();
  private nextHost = 2;

  /** `planeFlags`: further ones of `outrider control-plane`. */
  constructor(planeFlags: readonly string[] = []) {
    this.directory = mkdtempSync(join(tmpdir(), 'mesh-'));
    this.app = [process.execPath, join(this.directory, 'app.cjs')];
    writeFileSync(join(this.directory, 'app.cjs'), APP);
    this.plane = new ControlPlaneProcess(join(this.directory, 'data'), planeFlags);
  }

  static async start(planeFlags: readonly string[] = []): Promise<RunningMesh> {
    const mesh = new RunningMesh(planeFlags);
    await mesh.plane.start();
    return mesh;
  }

  /** `outrider run` with the app; it is not waited for. */
  async run({ service, flags = [], env = {} }: UnitOptions): Promise<Unit> {
    const place = await this.place(service);
    const words = ['run', '--service', service, '--port', place.PORT, '--drain', '4s', ...flags, '--', ...this.app];
    return this.unit(`run ${service}`, words, { ...place, ...env }, addressOf(place));
  }

  /** `outrider run` of a program that only calls. */
  runCaller(service: string, flags: readonly string[] = [], env: UnitOptions['env'] = {}): Unit {
    const words = ['run', '--service', service, '--drain', '1s', '--log-level', 'info', ...flags];
    return this.unit(`run ${service}`, [...words, '--', process.execPath, '-e', CALLER], env, '');
  }

  /** App and sidecar as two programs: the app first, and again with each call of `startApp`. */
  async runApart(service: string): Promise<{ readonly app: App; readonly startApp: () => RunningProcess }> {
    const place = await this.place(service);
    const [command = '', ...words] = this.app;
    const startApp = (): RunningProcess => {
      const child = new RunningProcess(command, words, { name: service, env: { ...place, NODE_OPTIONS: undefined } });
      this.processes.push(child);
      return child;
    };
    startApp();
    const any = '127.0.0.1:0';
    this.start('sidecar', ['sidecar'], {
      ...(await this.credentials(service)),
      OUTRIDER_SERVICE: service,
      OUTRIDER_APP_PORTS: place.PORT,
      OUTRIDER_APP_ADDRESS: place.HOST,
      OUTRIDER_INBOUND: any,
      OUTRIDER_OUTBOUND: any,
      OUTRIDER_ADMIN: any,
      OUTRIDER_METRICS: any,
    });
    return { app: new App(addressOf(place)), startApp };
  }

  /** What a sidecar needs for its first certificate, so that `run` asks nobody for it. */
  async credentials(serviceAccount: string): Promise<Readonly<Record<string, string>>> {
    const words = [PROGRAM, 'token', '--service-account', serviceAccount];
    const { code, stdout, stderr } = await runToEnd(process.execPath, words, { env: this.environment });
    if (code !== 0) throw new Error(stderr);
    const file = join(this.directory, `token-${serviceAccount}`);
    writeFileSync(file, stdout, { mode: 0o600 });
    return { OUTRIDER_TOKEN_FILE: file, OUTRIDER_CA_FILE: join(this.plane.dataDir, 'trust-bundle.pem') };
  }

  /** Where the next instance of a service listens: they have the same port, each on a loopback address of its own. */
  private async place(service: string): Promise<Place> {
    const free = this.ports.get(service) ?? freePort();
    this.ports.set(service, free);
    const HOST = `127.0.0.${this.nextHost++}`;
    return { HOST, OUTRIDER_APP_ADDRESS: HOST, PORT: String(await free) };
  }

  /** The same `outrider run` once more, with the same address and environment. */
  again(unit: Unit): Unit {
    const started = this.starts.get(unit);
    if (started === undefined) throw new Error('not a unit of this mesh');
    return this.unit(...started);
  }

  private unit(...start: readonly [...Parameters<RunningMesh['start']>, address: string]): Unit {
    const [name, words, env, address] = start;
    const unit = new Unit(this.start(name, words, env), address);
    this.starts.set(unit, start);
    return unit;
  }

  private start(name: string, words: readonly string[], env: UnitOptions['env']): RunningProcess {
    const child = new RunningProcess(process.execPath, [PROGRAM, ...words], {
      name,
      env: { ...this.environment, ...env },
    });
    this.processes.push(child);
    return child;
  }

  private get environment() {
    return {
      OUTRIDER_SERVER: this.plane.restUrl,
      OUTRIDER_CONTROL_PLANE: this.plane.channelUrl,
      OUTRIDER_DATA_DIR: this.plane.dataDir,
      // tap's loaders are for tests, not for the programs under test.
      NODE_OPTIONS: undefined,
    };
  }

  /** As `outrider apply` does it. @throws when it is refused. */
  async create(plural: string, object: object): Promise<Answer> {
    await using rest = new RestClient(this.plane.restUrl, this.plane.dataDir);
    const group = plural === 'services' ? '/api/v1' : '/apis/outrider.mesh/v1';
    const answer = await rest.call('POST', `${group}/namespaces/default/${plural}`, { body: object });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(each => each.stop()));
    await this.plane[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
