/** A mesh as a user starts it: `outrider control-plane`, and `outrider run` for each program, all processes of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { ControlPlaneProcess } from './control-plane-process.ts';
import { freePort } from './ports.ts';
import { RunningProcess } from './processes.ts';
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

/** One `outrider run`. Owned by the mesh. */
export class Unit {
  readonly process: RunningProcess;
  /** `host:port` of the app. */
  private readonly app: string;

  constructor(process: RunningProcess, app: string) {
    this.process = process;
    this.app = app;
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

  async isReady(): Promise<boolean> {
    const answer = await request(`${await this.said(/metrics (http:\/\/[^/]+)\//)}/healthz/ready`);
    await answer.body.dump();
    return answer.statusCode === 200;
  }

  ready(): Promise<boolean> {
    return waitFor(`${this.process.name} to be ready`, () => this.isReady(), 30_000);
  }

  async samples(): Promise<Sample[]> {
    const answer = await request(await this.said(/metrics (http:\/\/\S+\/metrics)/));
    return parseSamples(await answer.body.text());
  }

  async admin(path: string): Promise<string> {
    const answer = await request(`${await this.said(/admin (http:\/\/\S+)\n/)}${path}`);
    return answer.body.text();
  }

  /** To the app itself, round the mesh. */
  private async tell(method: 'GET' | 'PUT', path: string): Promise<string> {
    const answer = await request(`http://${this.app}${path}`, { method });
    return answer.body.text();
  }

  async behave(status: number, delayMs = 0): Promise<void> {
    await this.tell('PUT', `/behave?status=${status}&delay=${delayMs}`);
  }

  /** What the app answers to health checks from now on. */
  async health(status: number): Promise<void> {
    await this.tell('PUT', `/health?status=${status}`);
  }

  /** Requests that reached the app since this was last asked. */
  async served(): Promise<number> {
    return Number(await this.tell('GET', '/served'));
  }

  /** `kill -9` of the sidecar and of the app, and until both are gone. */
  async kill(): Promise<void> {
    const [, pid] = /PID (\d+)/.exec(this.process.stdout) ?? [];
    this.process.signal('SIGKILL');
    if (pid !== undefined) process.kill(Number(pid), 'SIGKILL');
    await this.process.exited;
  }
}

/** Owned by the test. */
export class RunningMesh implements AsyncDisposable {
  readonly plane: ControlPlaneProcess;
  private readonly directory: string;
  private readonly units: Unit[] = [];
  private readonly ports = new Map<string, Promise<number>>();
  private nextHost = 2;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'mesh-'));
    writeFileSync(join(this.directory, 'app.cjs'), APP);
    this.plane = new ControlPlaneProcess(join(this.directory, 'data'));
  }

  static async start(): Promise<RunningMesh> {
    const mesh = new RunningMesh();
    await mesh.plane.start();
    return mesh;
  }

  /** `outrider run` with the app; it is not waited for. Instances of a service have the same port, each on a loopback address of its own. */
  async run({ service, flags = [], env = {} }: UnitOptions): Promise<Unit> {
    const free = this.ports.get(service) ?? freePort();
    this.ports.set(service, free);
    const port = await free;
    const host = `127.0.0.${this.nextHost++}`;
    const words = ['run', '--service', service, '--port', String(port), '--drain', '4s', ...flags];
    const app = [process.execPath, join(this.directory, 'app.cjs')];
    const place = { OUTRIDER_APP_ADDRESS: host, HOST: host, PORT: String(port) };
    return this.start(service, [...words, '--', ...app], `${host}:${port}`, { ...place, ...env });
  }

  /** `outrider run` of a program that only calls. */
  runCaller(service: string): Unit {
    const words = ['run', '--service', service, '--drain', '1s', '--log-level', 'info'];
    return this.start(service, [...words, '--', process.execPath, '-e', CALLER], '', {});
  }

  private start(name: string, words: readonly string[], app: string, env: UnitOptions['env']): Unit {
    const child = new RunningProcess(process.execPath, [PROGRAM, ...words], {
      name: `run ${name}`,
      env: {
        OUTRIDER_SERVER: this.plane.restUrl,
        OUTRIDER_CONTROL_PLANE: this.plane.channelUrl,
        OUTRIDER_DATA_DIR: this.plane.dataDir,
        // tap's loaders are for tests, not for the programs under test.
        NODE_OPTIONS: undefined,
        ...env,
      },
    });
    const unit = new Unit(child, app);
    this.units.push(unit);
    return unit;
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
    await Promise.all(this.units.map(({ process }) => process.stop()));
    await this.plane[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
