/** Podman and buildah with a storage, networks and settings of their own, in one folder that goes when the test ends. Needs root. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from './foreign-tools.ts';
import { type Finished, runToEnd } from './processes.ts';

/** For tap's `skip`: false where images can be built and run, else a sentence. */
export const missingForContainers = (): string | false =>
  process.getuid?.() === 0
    ? missing('buildah', 'podman', 'runc', 'debootstrap')
    : 'needs root, to build and run containers; .ci/run is root';

const NETWORK = 'outrider-test';
/** Holds a pod open. */
export const POD_IMAGE = 'localhost/outrider-test-app';

/** Owned by the test; takes its containers, images and network along. */
export class PodmanEngine implements AsyncDisposable {
  readonly folder: string;
  /** The first three numbers of every container's address. */
  readonly subnet: string;
  private readonly isKept: boolean;
  private readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string, isKept: boolean) {
    this.folder = folder;
    this.isKept = isKept;
    this.subnet = `10.${90 + (process.pid % 100)}.77`;
    this.env = {
      CONTAINERS_CONF: this.file('containers.conf'),
      CONTAINERS_STORAGE_CONF: this.file('storage.conf'),
      TMPDIR: this.file('tmp'),
    };
  }

  /** Keeps its images for the next time in `OUTRIDER_CONTAINERS_FOLDER`, if that is set. */
  static async start(): Promise<PodmanEngine> {
    const kept = process.env.OUTRIDER_CONTAINERS_FOLDER;
    if (kept !== undefined) mkdirSync(kept, { recursive: true });
    const engine = new PodmanEngine(kept ?? mkdtempSync(join(tmpdir(), 'outrider-containers-')), kept !== undefined);
    for (const name of ['networks', 'tmp']) mkdirSync(engine.file(name), { recursive: true });
    writeFileSync(
      engine.file('storage.conf'),
      `[storage]\ndriver = "overlay"\ngraphroot = "${engine.file('storage')}"\nrunroot = "${engine.file('run')}"\n`,
    );
    // Limits that a container as the machine of a test may set, too.
    writeFileSync(
      engine.file('containers.conf'),
      `[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ninfra_image = "${POD_IMAGE}"\n[network]\nnetwork_config_dir = "${engine.file('networks')}"\n`,
    );
    await engine.clear();
    await engine.try('podman', ['network', 'rm', '--force', NETWORK]);
    await engine.podman('network', 'create', '--subnet', `${engine.subnet}.0/24`, NETWORK);
    return engine;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  address(number: number): string {
    return `${this.subnet}.${number}`;
  }

  /** The words that give a container or pod its address. */
  at(number: number): readonly string[] {
    return ['--network', NETWORK, '--ip', this.address(number)];
  }

  try(command: 'podman' | 'buildah', words: readonly string[], timeoutMs = 60_000): Promise<Finished> {
    return runToEnd(command, words, { env: this.env, timeoutMs });
  }

  /** Its standard output. @throws with what it says when it fails. */
  async podman(...words: readonly string[]): Promise<string> {
    return said(`podman ${words.join(' ')}`, await this.try('podman', words));
  }

  async buildah(...words: readonly string[]): Promise<string> {
    return said(`buildah ${words.join(' ')}`, await this.try('buildah', words, 600_000));
  }

  /** What both streams of a container said. */
  async logs(name: string): Promise<string> {
    const { stdout, stderr } = await this.try('podman', ['logs', name]);
    return stdout + stderr;
  }

  /** Ends and removes all containers, with what they wrote. */
  async clear(): Promise<void> {
    await this.try('podman', ['pod', 'rm', '--all', '--force', '--time', '1']);
    await this.try('podman', ['rm', '--all', '--force', '--time', '1']);
    await this.try('podman', ['volume', 'rm', '--all', '--force']);
    await this.try('buildah', ['rm', '--all']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    await this.try('podman', ['network', 'rm', '--force', NETWORK]);
    if (this.isKept) return;
    await this.try('podman', ['rmi', '--all', '--force']);
    await runToEnd('umount', [this.file('storage/overlay')]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const said = (what: string, { code, stdout, stderr }: Finished): string => {
  if (code !== 0) throw new Error(`${what}: ${stderr.slice(-2_000) || stdout.slice(-2_000) || `exit code ${code}`}`);
  return stdout.trim();
};
