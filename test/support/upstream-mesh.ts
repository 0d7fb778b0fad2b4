/**
 * A mesh whose services are programs that know nothing of it, each behind a sidecar of its own, and one caller with a local port for each of them:
 * what a client says is compared with what it says straight to the server.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { ControlPlaneProcess } from './control-plane-process.ts';
import type { Command } from './database-servers.ts';
import { freePorts } from './ports.ts';
import { type Finished, RunningProcess } from './processes.ts';
import { Unit } from './running-mesh.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface UpstreamService<Name extends string> {
  readonly name: Name;
  readonly protocol: string;
  /** Prepares what the server needs in `directory`, which does not exist yet, and gives its command. */
  readonly prepare: (directory: string, port: number) => Promise<Command>;
}

/** Owned by the test. */
export class UpstreamMesh<Name extends string> implements AsyncDisposable {
  readonly plane: ControlPlaneProcess;
  private readonly directory: string;
  private readonly units = new Map<Name | 'caller', Unit>();
  private readonly ports = new Map<Name, { readonly direct: number; readonly mesh: number }>();

  private constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'upstreams-'));
    chmodSync(this.directory, 0o755); // a server may run as another user
    this.plane = new ControlPlaneProcess(join(this.directory, 'mesh'));
  }

  /** Resolves when all sidecars are ready; whether the servers are, the clients find out. */
  static async start<Name extends string>(services: readonly UpstreamService<Name>[]): Promise<UpstreamMesh<Name>> {
    const mesh = new UpstreamMesh<Name>();
    try {
      await mesh.begin(services);
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
    return mesh;
  }

  private async begin(services: readonly UpstreamService<Name>[]): Promise<void> {
    const ports = await freePorts(2 * services.length);
    for (const [i, { name }] of services.entries())
      this.ports.set(name, { direct: ports[2 * i] ?? 0, mesh: ports[2 * i + 1] ?? 0 });
    const [commands] = await Promise.all([
      Promise.all(services.map(({ name, prepare }) => prepare(join(this.directory, name), this.direct(name)))),
      this.plane.start(),
    ]);
    for (const [i, { name, protocol }] of services.entries())
      this.run(name, ['--port', `${protocol}=${this.direct(name)}`], commands[i] ?? []);
    const upstreams = services.flatMap(({ name }) => ['--upstream', `${name}=${this.mesh(name)}`]);
    this.run('caller', upstreams, [process.execPath, '-e', 'setInterval(() => {}, 1_000)']);
    await Promise.all([...this.units.values()].map(unit => unit.ready()));
  }

  private run(service: Name | 'caller', flags: readonly string[], command: readonly string[]): void {
    const words = [PROGRAM, 'run', '--service', service, '--drain', '1s', '--log-level', 'info', ...flags];
    const env = {
      OUTRIDER_SERVER: this.plane.restUrl,
      OUTRIDER_CONTROL_PLANE: this.plane.channelUrl,
      OUTRIDER_DATA_DIR: this.plane.dataDir,
      NODE_OPTIONS: undefined,
      PYTHONDONTWRITEBYTECODE: '1',
    };
    const child = new RunningProcess(process.execPath, [...words, '--', ...command], { name: service, env });
    this.units.set(service, new Unit(child, ''));
  }

  /** Where the server itself listens. */
  direct(name: Name): number {
    return this.ports.get(name)?.direct ?? 0;
  }

  /** The caller's local port for it. */
  mesh(name: Name): number {
    return this.ports.get(name)?.mesh ?? 0;
  }

  unit(name: Name | 'caller'): Unit {
    const unit = this.units.get(name);
    if (unit === undefined) throw new Error(`no ${name}`);
    return unit;
  }

  /** The client run twice: what it says is as expected, and through the mesh the same as without. */
  async same(t: Test, name: Name, expected: RegExp, client: (port: number) => Promise<Finished>): Promise<void> {
    const said = async (port: number): Promise<string> => {
      const { code, signal, stdout, stderr } = await client(port);
      return `exit ${code ?? signal}\n${stdout}${stderr}`.replaceAll(String(port), 'PORT');
    };
    const straight = await said(this.direct(name));
    t.match(straight, expected, 'straight to the server');
    t.equal(await said(this.mesh(name)), straight, 'through the mesh');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.units.values()].map(({ process: child }) => child.stop()));
    await this.plane[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
