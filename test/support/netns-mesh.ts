/** A mesh whose units are machines of their own, made of network namespaces, with every connection redirected. Needs root. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missing } from './foreign-tools.ts';
import { type Machine, Namespaces, on } from './namespaces.ts';
import { RunningProcess, runToEnd } from './processes.ts';
import { waitFor } from './wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
/** Group of the sidecars, whose own connections are not redirected. */
const SIDECAR_GID = '1337';

/** Connects, sends what it is told, prints what comes, and says how it ended. */
const CLIENT = `
const [host, port, words] = process.argv.slice(1);
const socket = require('node:net').connect(Number(port), host);
socket.on('data', data => process.stdout.write(data)).on('error', error => console.log(error.code)).on('close', () => console.log('closed'));
if (words) socket.write(words);
socket.setTimeout(30000, () => socket.destroy(new Error('silence')));`;

/** For tap's `skip`: false where such a mesh can be made and these programs are, else a sentence. */
export const missingForNetns = (...programs: readonly string[]): string | false =>
  process.getuid?.() === 0
    ? missing('ip', 'nft', 'curl', 'setpriv', ...programs)
    : 'needs root, to make network namespaces; .ci/run is root';

/** `outrider init` on a machine; `exempt`: the group whose connections are not redirected. */
export const redirect = async (machine: Machine, exempt = SIDECAR_GID): Promise<void> => {
  const words = [process.execPath, PROGRAM, 'init', '--proxy-uid', exempt, '--proxy-gid', exempt];
  const { code, stderr } = await runToEnd('ip', on(machine, ...words));
  if (code !== 0) throw new Error(stderr);
};

/** Owned by the test. */
export class NetnsMesh implements AsyncDisposable {
  readonly hub: Machine;
  private readonly namespaces: Namespaces;
  private readonly directory = mkdtempSync(join(tmpdir(), 'netns-'));
  private readonly processes: RunningProcess[] = [];

  private constructor(namespaces: Namespaces, hub: Machine) {
    this.namespaces = namespaces;
    this.hub = hub;
    // A database that runs as a user of its own has to get through.
    chmodSync(this.directory, 0o711);
  }

  static async start(): Promise<NetnsMesh> {
    const namespaces = new Namespaces();
    const wire = new NetnsMesh(namespaces, await namespaces.add());
    const control = wire.outrider(
      wire.hub,
      'control-plane',
      '--data-dir',
      wire.dataDir,
      '--channel',
      '10.77.0.1:15012',
    );
    await waitFor('the control plane', () => control.stdout.includes('"channel_port"'), 30_000);
    return wire;
  }

  get dataDir(): string {
    return join(this.directory, 'data');
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  machine(): Promise<Machine> {
    return this.namespaces.add();
  }

  spawn(machine: Machine, words: readonly string[], env: Readonly<Record<string, string>> = {}): RunningProcess {
    const child = new RunningProcess('ip', on(machine, ...words), { name: words.slice(0, 6).join(' '), env });
    this.processes.push(child);
    return child;
  }

  outrider(machine: Machine, ...words: readonly string[]): RunningProcess {
    return this.spawn(machine, [process.execPath, PROGRAM, ...words]);
  }

  async apply(object: object): Promise<void> {
    const file = this.file('object.json');
    writeFileSync(file, JSON.stringify(object));
    const words = [process.execPath, PROGRAM, 'apply', '-f', file, '--server', 'https://127.0.0.1:15010'];
    const { code, stderr } = await runToEnd('ip', on(this.hub, ...words), { env: { OUTRIDER_DATA_DIR: this.dataDir } });
    if (code !== 0) throw new Error(stderr);
  }

  /** What a sidecar needs for its first certificate. */
  private async credentials(service: string) {
    const token = await runToEnd('ip', on(this.hub, process.execPath, PROGRAM, 'token', '--service-account', service), {
      env: { OUTRIDER_DATA_DIR: this.dataDir, OUTRIDER_SERVER: 'https://127.0.0.1:15010' },
    });
    if (token.code !== 0) throw new Error(token.stderr);
    writeFileSync(this.file(`token-${service}`), token.stdout, { mode: 0o600 });
  }

  /** A sidecar that takes every connection of its machine. */
  startSidecar(machine: Machine, service: string, appPorts: string): RunningProcess {
    const asGroup = ['setpriv', '--regid', SIDECAR_GID, '--clear-groups'];
    return this.spawn(machine, [...asGroup, process.execPath, PROGRAM, 'sidecar'], {
      OUTRIDER_SERVICE: service,
      OUTRIDER_LABELS: `app=${service}`,
      OUTRIDER_APP_PORTS: appPorts,
      OUTRIDER_CONTROL_PLANE: 'https://10.77.0.1:15012',
      OUTRIDER_TOKEN_FILE: this.file(`token-${service}`),
      OUTRIDER_CA_FILE: join(this.dataDir, 'trust-bundle.pem'),
      OUTRIDER_INTERCEPTION: 'redirect',
      OUTRIDER_DRAIN: '1s',
      OUTRIDER_ACCESS_LOG: 'errors',
    });
  }

  async sidecar(machine: Machine, service: string, appPorts: string): Promise<RunningProcess> {
    await this.credentials(service);
    const child = this.startSidecar(machine, service, appPorts);
    await waitFor(
      `${service} to be ready`,
      async () => {
        if (child.exit !== undefined) throw new Error(child.output());
        const { stdout } = await this.curl(machine, '-w', '%{http_code}', 'http://127.0.0.1:15020/healthz/ready');
        return stdout.endsWith('200');
      },
      30_000,
    );
    return child;
  }

  async talk(machine: Machine, host: string, port: number, words = ''): Promise<string> {
    return (await runToEnd('ip', on(machine, process.execPath, '-e', CLIENT, host, String(port), words))).stdout;
  }

  curl(machine: Machine, ...words: readonly string[]) {
    return runToEnd('ip', on(machine, 'curl', '-sS', '-m', '30', '--noproxy', '*', ...words));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(child => child.stop()));
    await this.namespaces[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
