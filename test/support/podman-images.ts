/** The images under test, built from the repository's Dockerfile on a Debian of the machine's own mirror: no registry of images is asked. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POD_IMAGE, type PodmanEngine } from './podman-engine.ts';
import { runToEnd } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEBIAN = 'bookworm';
const PACKAGES = 'ca-certificates,iptables,libatomic1,libstdc++6,nftables';
const BASE = 'localhost/outrider-test-base';

/** Debian with Node and npm: what builds the program, and what the apps of the tests run in. */
export const APP_IMAGE = POD_IMAGE;
export const IMAGES = { sidecar: 'localhost/outrider:test', init: 'localhost/outrider-init:test' } as const;

/** Builds all of them; what stands from the last time stays. */
export const buildImages = async (engine: PodmanEngine): Promise<void> => {
  const { code } = await engine.try('podman', ['image', 'exists', APP_IMAGE]);
  if (code !== 0) await importDebian(engine);
  const npmrc = engine.file('npmrc');
  writeFileSync(npmrc, await npmSettings(), { mode: 0o600 });
  for (const [target, image] of Object.entries(IMAGES))
    await engine.buildah(
      ...['build', '--isolation', 'chroot', '--layers', '--secret', `id=npmrc,src=${npmrc}`, '--target', target],
      ...['--build-arg', `BASE=${BASE}`, '--build-arg', `BUILDER=${APP_IMAGE}`, '--build-arg', 'VERSION=0.0.0-test'],
      ...['--tag', image, ROOT],
    );
};

const importDebian = async (engine: PodmanEngine): Promise<void> => {
  const root = engine.file('debian');
  const made = await run('debootstrap', '--variant=minbase', `--include=${PACKAGES}`, DEBIAN, root, ...mirror());
  if (!made) throw new Error(`debootstrap: see ${root}/debootstrap/debootstrap.log`);
  await run('tar', '-C', root, '--exclude=./var/cache/apt', '--exclude=./var/lib/apt', '-cf', `${root}.tar`, '.');
  await engine.podman('import', `${root}.tar`, BASE);
  rmSync(root, { recursive: true });
  rmSync(`${root}.tar`);
  const container = await engine.buildah('from', BASE);
  const npm = dirname(dirname(await output('readlink', '-f', await output('which', 'npm'))));
  await engine.buildah('copy', container, process.execPath, '/usr/local/bin/node');
  await engine.buildah('copy', container, npm, '/usr/local/lib/node_modules/npm');
  const link = ['ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/npm'];
  await engine.buildah('run', '--isolation', 'chroot', container, '--', ...link);
  // What holds a pod open: like Kubernetes' own, one process that ends when it is told to.
  const hold = ['perl', '-e', '$SIG{TERM} = sub { exit }; sleep while 1'];
  await engine.buildah('config', '--cmd', JSON.stringify(hold), container);
  await engine.buildah('config', '--env', 'PATH=/usr/local/bin:/usr/sbin:/usr/bin', container);
  await engine.buildah('commit', '--rm', container, APP_IMAGE);
};

/** Where this machine gets its own packages from; none: debootstrap's own choice. */
const mirror = (): readonly string[] => {
  for (const file of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const [, url] = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+)/m.exec(lines) ?? [];
    if (url !== undefined) return [url];
  }
  return [];
};

/** The user's .npmrc, with the registry and the certificates that this environment adds to it. */
const npmSettings = async (): Promise<string> => {
  const file = await output('npm', 'config', 'get', 'userconfig');
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const certificates =
    extra === undefined ? [] : readFileSync(extra, 'utf8').match(/-----BEGIN[\s\S]+?-----END.*-----/g);
  return [
    existsSync(file) ? readFileSync(file, 'utf8') : '',
    `registry=${await output('npm', 'config', 'get', 'registry')}`,
    ...(certificates ?? []).map(each => `ca[]="${each.replaceAll('\n', '\\n')}"`),
    '',
  ].join('\n');
};

const run = async (command: string, ...words: readonly string[]): Promise<boolean> =>
  (await runToEnd(command, words, { timeoutMs: 300_000 })).code === 0;

const output = async (command: string, ...words: readonly string[]): Promise<string> =>
  (await runToEnd(command, words)).stdout.trim();
