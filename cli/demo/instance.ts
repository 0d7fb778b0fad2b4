import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { compileCacheFolder } from '../compile-cache-folder.ts';
import type { Member } from './shop.ts';

/** `.ts` in a checkout, `.js` in a build. */
const EXTENSION = extname(import.meta.filename);
const OUTRIDER = fileURLToPath(new URL(`../main${EXTENSION}`, import.meta.url));
const KEPT_OUTPUT = 4_000;

export interface Place {
  /** Of the app. */
  readonly port: number;
  readonly metricsPort: number;
  /** How `outrider run` finds the control plane. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * `outrider run … -- node PROGRAM`, so one process for the sidecar and one for the app. Its standard input comes from us: should we end in whatever way,
 * the app reads its end and stops, and the sidecar stops with the app. Owned by the demo.
 */
export class Instance {
  readonly member: Member;
  readonly exited: Promise<void>;
  hasExited = false;
  /** The end of what it said. */
  output = '';
  private readonly child: ChildProcess;
  private readonly metricsUrl: string;

  /** `onLine`: a line on the app's standard output. */
  constructor(member: Member, place: Place, onLine: (line: string) => void = () => {}) {
    this.member = member;
    this.metricsUrl = `http://127.0.0.1:${place.metricsPort}`;
    const program = fileURLToPath(new URL(`./shop/${member.program}${EXTENSION}`, import.meta.url));
    const port = member.protocol === '' ? [] : ['--port', `${member.protocol}=${place.port}`];
    const labels = member.version === '' ? [] : ['--labels', `version=${member.version}`];
    const upstreams = member.upstreams.flatMap(service => ['--upstream', `${service}=0`]);
    const flags = [...port, ...labels, ...upstreams];
    const words = ['run', '--service', member.service, ...flags, '--', process.execPath, program];
    const { OUTRIDER_METRICS: _ours, ...env } = place.env;
    this.child = spawn(process.execPath, [OUTRIDER, ...words], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...env,
        NODE_COMPILE_CACHE: compileCacheFolder(env), // the shop's programs start faster too
        PORT: String(place.port),
        VERSION: member.version,
        OUTRIDER_INBOUND: '127.0.0.1:0',
        OUTRIDER_METRICS: `127.0.0.1:${place.metricsPort}`,
        OUTRIDER_DRAIN: '3s',
        OUTRIDER_ACCESS_LOG: 'off',
      },
    });
    this.exited = new Promise(resolve => {
      this.child.once('close', () => {
        this.hasExited = true;
        resolve();
      });
    });
    this.child.on('error', error => this.keep(error.message));
    this.child.stdin?.on('error', () => {}); // it has ended, which `exited` says
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    let rest = '';
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.keep(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
  }

  /** A line on the app's standard input. */
  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async isReady(): Promise<boolean> {
    return (await this.page('/healthz/ready'))?.statusCode === 200;
  }

  /** What the sidecar says of itself, or '' when it does not answer. */
  async metrics(): Promise<string> {
    return (await this.page('/metrics'))?.text ?? '';
  }

  private async page(path: string): Promise<{ statusCode: number; text: string } | undefined> {
    try {
      const { statusCode, body } = await request(this.metricsUrl + path, { signal: AbortSignal.timeout(2_000) });
      return { statusCode, text: await body.text() };
    } catch {
      return undefined;
    }
  }

  /** SIGTERM, and after `graceMs` the end of its input and SIGKILL. */
  async stop(graceMs: number): Promise<void> {
    this.child.kill('SIGTERM');
    const kill = setTimeout(() => this.kill(), graceMs);
    await this.exited;
    clearTimeout(kill);
  }

  /** At once; the app ends by its input. */
  kill(): void {
    this.child.stdin?.end();
    this.child.kill('SIGKILL');
  }

  private keep(text: string): void {
    this.output = (this.output + text).slice(-KEPT_OUTPUT);
  }
}
