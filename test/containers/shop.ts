/** The demo's ten services, each in a pod of its own, their calls redirected; a real Prometheus scrapes their sidecars. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { request } from 'undici';
import { stringify } from 'yaml';
import { type Member, objectsOfShop, SERVICES, SHOPPER } from '../../cli/demo/shop.ts';
import { missing } from '../support/foreign-tools.ts';
import { PodmanCluster } from '../support/podman-cluster.ts';
import type { PodmanEngine } from '../support/podman-engine.ts';
import { IMAGES } from '../support/podman-images.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAMS = '/opt/outrider/dist/cli/demo/shop';
const PORT = 8080;
/** Holds the standard input of the program, whose end would be its own; the shoppers go when they start and stop at SIGUSR2. */
const HOLD = `
const child = require('node:child_process').spawn(process.execPath, [process.argv[1]], { stdio: ['pipe', 'inherit', 'inherit'] });
child.stdin.write('go\\n');
child.on('exit', code => process.exit(code ?? 1));
process.on('SIGUSR2', () => child.stdin.write('stop\\n'));
process.on('SIGTERM', () => child.kill());`.trim();
const DASHBOARD = fileURLToPath(new URL('../../manifests/grafana/outrider.json', import.meta.url));
/** Whom nobody is behind, so that some calls fail: there are panels of that. */
const NOBODY = { service: 'nobody', protocol: 'http' };
const CALL_NOBODY = `fetch('http://nobody/')`;

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

const deployment = ({ service, program, protocol, version, upstreams }: Member): object => {
  const labels = { app: service, ...(version === '' ? {} : { version }) };
  const env = { PORT: String(PORT), VERSION: version };
  const addresses = upstreams.map(name => [`OUTRIDER_UPSTREAM_${name.toUpperCase()}`, `${name}:80`] as const);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: service },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: service,
          containers: [
            {
              name: 'app',
              image: IMAGES.sidecar,
              command: ['node', '-e', HOLD, `${PROGRAMS}/${program}.js`],
              securityContext: { runAsUser: 1000 },
              env: [...Object.entries(env), ...addresses].map(([name, value]) => ({ name, value })),
              ...(protocol === '' ? {} : { ports: [{ name: protocol, containerPort: PORT }] }),
            },
          ],
        },
      },
    },
  };
};

/** Of `catalog`, which is a route alone, of nobody, and of each that has a pod. */
const services = (): readonly object[] =>
  [{ service: 'catalog', protocol: 'http' }, NOBODY, ...SERVICES].map(({ service, protocol }, i) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service },
    spec: {
      clusterIP: `10.96.1.${i + 1}`,
      selector: { app: service },
      ports: [{ port: 80, targetPort: PORT, appProtocol: protocol }],
    },
  }));

export const testShop = async (t: Test, engine: PodmanEngine): Promise<void> => {
  const cluster = await PodmanCluster.start(engine);
  const routes = objectsOfShop(() => PORT).filter(({ kind }) => kind !== 'Service');
  const members = [...SERVICES, SHOPPER];
  const manifest = [...services(), ...routes, ...members.map(deployment)]
    .map(object => stringify(object))
    .join('---\n');
  const pods = await cluster.apply('shop', manifest);
  t.equal(pods.length, members.length);
  for (const pod of pods) await cluster.start(pod);

  await waitFor('the first answer', async () => (await engine.logs('shopper-0-app')).includes('"first":true'), 30_000);
  const targets = pods.map(({ metadata }) => `${cluster.addressOf(metadata.name)}:15020`);
  await t.test('Prometheus scrapes it', { skip: missing('prometheus') }, t => testScrapes(t, engine, targets));
  await engine.podman('kill', '--signal', 'USR2', 'shopper-0-app');
  const report = await waitFor('the end', async () => /\{"sent":.*\}/.exec(await engine.logs('shopper-0-app'))?.[0]);
  const { sent, failed } = JSON.parse(report) as { readonly sent: number; readonly failed: number };
  t.comment(`${sent} requests of shoppers`);
  t.ok(sent > 100);
  t.equal(failed, 0, 'none failed');
};

const testScrapes = async (t: Test, engine: PodmanEngine, targets: readonly string[]): Promise<void> => {
  const cwd = engine.file('prometheus');
  mkdirSync(cwd, { recursive: true });
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'outrider', static_configs: [{ targets }] }],
  };
  writeFileSync(`${cwd}/prometheus.yml`, JSON.stringify(config));
  const port = await freePort();
  const flags = ['--config.file=prometheus.yml', `--web.listen-address=127.0.0.1:${port}`];
  await using prometheus = new RunningProcess('prometheus', flags, { cwd });
  t.comment(`Prometheus is process ${prometheus.pid}`);
  const query = async (expr: string): Promise<readonly unknown[]> => {
    const { body } = await request(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return ((await body.json()) as { readonly data: { readonly result: readonly unknown[] } }).data.result;
  };
  await waitFor('all targets', async () => (await query('up == 1')).length === targets.length, 30_000);
  t.pass('it reaches the sidecar of each pod');
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
  for (const { title, targets: wanted = [] } of panels)
    for (const { expr } of wanted) {
      const filled = expr.replaceAll('$__rate_interval', '10s').replace(/\$(namespace|service)/g, '.*');
      await t.resolves(
        waitFor(
          title,
          async () => {
            if (expr.includes('response_flags!="-"'))
              await engine.podman('exec', 'shopper-0-app', 'node', '-e', CALL_NOBODY);
            return (await query(filled)).length > 0;
          },
          20_000,
        ),
        `${title}: ${expr}`,
      );
    }
};
