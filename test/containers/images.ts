/** What is in the images, and how they run. */
import type { Test } from 'tap';
import type { PodmanEngine } from '../support/podman-engine.ts';
import { IMAGES } from '../support/podman-images.ts';
import { RESTRICTED } from '../support/podman-mesh.ts';
import { runToEnd } from '../support/processes.ts';

interface Config {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal: string;
}

const configOf = async (engine: PodmanEngine, image: string): Promise<Config> =>
  JSON.parse(await engine.podman('image', 'inspect', '--format', '{{json .Config}}', image));

/** Paths of all files, as `usr/local/bin/node`. */
const filesOf = async (engine: PodmanEngine, image: string): Promise<readonly string[]> => {
  const container = await engine.podman('create', image);
  const archive = engine.file('image.tar');
  await engine.podman('export', '--output', archive, container);
  await engine.podman('rm', container);
  return (await runToEnd('tar', ['-tf', archive])).stdout.split('\n');
};

export const testContents = async (t: Test, engine: PodmanEngine): Promise<void> => {
  for (const image of Object.values(IMAGES)) {
    const files = await filesOf(engine, image);
    t.ok(files.includes('usr/local/bin/node'), `${image} holds Node`);
    const foreign = /(^|\/)(sh|bash|dash|busybox|env|apt(-get)?|dpkg|npm|npx|perl|python3?|curl|wget)$/;
    t.strictSame(
      files.filter(file => foreign.test(file)),
      [],
      'neither a shell nor a package manager nor another interpreter',
    );
    t.strictSame(
      files.filter(file => /(^|\/)(test|bench|\.npmrc|\.git)(\/|$)|\.ts$|\.pem$/.test(file)),
      [],
      'nothing of the checkout, of a registry, no key',
    );
  }
  const sidecar = await configOf(engine, IMAGES.sidecar);
  t.match(sidecar, { User: '1337:1337', Entrypoint: ['outrider'], StopSignal: 'SIGTERM' });
  t.match(sidecar.Labels, {
    'org.opencontainers.image.title': 'outrider',
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.version': '0.0.0-test',
  });
  t.match(await configOf(engine, IMAGES.init), { User: '0:0', Entrypoint: ['outrider', 'init'] });
  for (const image of Object.values(IMAGES)) {
    const bytes = Number(await engine.podman('image', 'inspect', '--format', '{{.Size}}', image));
    t.ok(bytes < 200e6, `${image} is ${Math.round(bytes / 1e6)} MB`);
  }
};

export const testRestricted = async (t: Test, engine: PodmanEngine): Promise<void> => {
  const once = (...words: readonly string[]) => engine.podman('run', '--rm', '--network', 'none', ...words);
  t.match(await once(...RESTRICTED, IMAGES.sidecar, '--version'), /^\d+\.\d+\.\d+$/);
  t.match(await once(...RESTRICTED, IMAGES.init, '--print'), 'table inet outrider');
  t.match(
    await once(...RESTRICTED, '--cap-add', 'NET_ADMIN', IMAGES.init),
    'New connections are redirected (nft, IPv4 and IPv6)',
  );
  const both = ['--cap-add', 'NET_ADMIN', '--cap-add', 'NET_RAW'];
  t.match(
    await once(...RESTRICTED, ...both, IMAGES.init, '--backend', 'iptables'),
    'New connections are redirected (iptables, IPv4 and IPv6)',
  );
  await t.rejects(once(...RESTRICTED, IMAGES.init), { message: /needs the capability NET_ADMIN/ });
  const roots = `require('tls').rootCertificates.length > 50 && fs.readFileSync(process.env.SSL_CERT_FILE).length > 1e5`;
  const ask = ['--entrypoint', 'node', IMAGES.sidecar, '--print', roots];
  t.equal(await once(...RESTRICTED, ...ask), 'true', 'certificates of the public authorities are there');
};
