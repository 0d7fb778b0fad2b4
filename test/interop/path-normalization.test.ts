/**
 * What servers take for one path, asked of the servers themselves: `nginx`, Flask, and `node:http` with the URL class. No two spellings that one of
 * them takes for the same may have different normal forms, and what it sees in a normal form must be what was matched.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { Pool } from 'undici';
import type { PathNormalization, RouteView, Snapshot } from '../../api/snapshot.ts';
import { normalPath } from '../../sidecar/route/normal-path.ts';
import { findProgram, missing, PYTHON } from '../support/foreign-tools.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { RunningProcess } from '../support/processes.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

/** Without escaped reserved characters: a server that decodes takes `%3B` for `;`, and a normal form does not (docs/security.md, Paths). */
const PIECES = [
  ...['admin', '%61dmin', 'adm%69n', 'x', '~', '%7E', ';', '%25', '2e', "'"],
  ...['/', '/', '/', '//', '%2f', '%2F', '\\', '%5c', '.', '..', '%2e', '%2E%2e', '/./', '/../', '%2f..%2f', '%5C..'],
];
const SPELLINGS = [
  ...['/admin', '//admin', '/x/../admin', '/x%2f..%2fadmin', '/x/%2e%2e/admin', '/%61dmin', '/./admin', '/x//../admin'],
  ...fc.sample(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map(pieces => `/${pieces.join('')}`),
    { numRuns: 400, seed: 20_261_123 },
  ),
];

interface Server {
  readonly port: number;
  /** What is to be set for it. */
  readonly normalization: PathNormalization;
  /** Of a normal form: what the server should see. */
  readonly meant: (form: string) => string;
}

const route = (view: Partial<RouteView>): RouteView => ({
  name: 'default/guard/0',
  matches: [],
  filters: [],
  backends: [],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...view,
});
const ROUTES = [
  route({
    matches: [{ path: { type: 'PathPrefix', value: '/admin' } }],
    filters: [{ type: 'RequestRedirect', statusCode: 302, hostname: 'elsewhere' }],
  }),
  route({ backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }] }),
];
const guarded =
  (pathNormalization: PathNormalization) =>
  (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    pathNormalization,
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({ ...port, routes: ROUTES })),
    })),
  });

/** The path that the server sees; undefined when it answers that there is none. */
const viewFrom = async (pool: Pool, path: string): Promise<string | undefined> => {
  const answer = await pool.request({ method: 'GET', path, headers: { host: 'app' } });
  const text = await answer.body.text();
  if (answer.statusCode === 200) return text;
  const { location } = answer.headers;
  // Flask sends the client to the path with merged slashes.
  return answer.statusCode === 308 ? decodeURIComponent(new URL(String(location)).pathname) : undefined;
};

const check = async (t: Test, { port, normalization, meant }: Server): Promise<void> => {
  const direct = new Pool(`http://127.0.0.1:${port}`, { connections: 1 });
  t.teardown(() => direct.destroy());
  await using pair = await startSidecarPair({
    services: [{ name: 'app', port: 80, protocol: 'http', appPort: port }],
    editSnapshot: guarded(normalization),
  });
  const meshed = new Pool(`http://127.0.0.1:${pair.outbound}`, { connections: 1 });
  t.teardown(() => meshed.destroy());
  const forms = new Map<string, string>();
  const problems: string[] = [];
  let admin = 0;
  for (const spelling of SPELLINGS) {
    const form = normalPath(spelling, normalization);
    const view = await viewFrom(direct, spelling);
    const isAdmin = (path: string | undefined): boolean => path !== undefined && /^\/admin(?:\/|$)/.test(path);
    if (isAdmin(view)) admin++;
    const throughMesh = await viewFrom(meshed, spelling);
    if (isAdmin(throughMesh)) problems.push(`${spelling} comes to ${throughMesh}`);
    if (typeof form !== 'string') continue;
    // For a server on Linux a backslash is a letter; for browsers, for Windows and so for us it parts segments.
    if (view !== undefined && !/\\|%5c/i.test(spelling)) {
      const other = forms.get(view) ?? form;
      if (other !== form) problems.push(`${view} has two forms, ${form} and ${other}: ${spelling}`);
      forms.set(view, form);
    }
    const viewOfForm = await viewFrom(direct, form);
    if (viewOfForm !== meant(form)) problems.push(`${spelling}: we match ${form}, the server sees ${viewOfForm}`);
    if (throughMesh !== undefined && throughMesh !== viewOfForm) problems.push(`${spelling} goes on as ${throughMesh}`);
  }
  t.same(problems.slice(0, 20), []);
  t.ok(admin > 5, `${admin} spellings lead to /admin without the mesh`);
  t.comment(`${SPELLINGS.length} spellings, ${forms.size} paths for the server`);
};

t.test('nginx sees the path that was matched, in every spelling', { skip: missing('nginx') }, async t => {
  const directory = t.testdir({});
  const [port = 0] = await freePorts(1);
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  for (const place of places) mkdirSync(join(directory, place));
  const paths = places.map(place => `${place}_temp_path ${join(directory, place)};`).join(' ');
  const config = `daemon off; master_process off; pid ${directory}/pid; events {}
http { access_log off; ${paths} default_type text/plain; server { listen 127.0.0.1:${port}; location / { return 200 $uri; } } }`;
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, config);
  await using server = new RunningProcess(findProgram('nginx') ?? '', ['-p', directory, '-c', file, '-e', 'stderr'], {
    name: 'nginx',
  });
  await waitFor('nginx to listen', () => connects(port));
  await check(t, { port, normalization: 'DECODE_AND_MERGE_SLASHES', meant: decodeURIComponent });
  t.notOk(server.exit);
});

const hasFlask = spawnSync(PYTHON, ['-c', 'import flask']).status === 0;
const skip = hasFlask ? false : 'needs python3-flask; .ci/run installs what it needs';
const FLASK = `
import sys
from flask import Flask, request
app = Flask(__name__)

@app.get("/", defaults={"path": ""})
@app.get("/<path:path>")
def see(path):
    return request.path, 200, {"content-type": "text/plain"}

app.run("127.0.0.1", int(sys.argv[1]))
`;

t.test('Flask sees the path that was matched, in every spelling', { skip }, async t => {
  const directory = t.testdir({ 'app.py': FLASK });
  const [port = 0] = await freePorts(1);
  await using server = new RunningProcess(PYTHON, [join(directory, 'app.py'), String(port)], {
    name: 'Flask',
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  });
  await waitFor('Flask to listen', () => connects(port));
  await check(t, { port, normalization: 'DECODE_AND_MERGE_SLASHES', meant: decodeURIComponent });
  t.notOk(server.exit);
});

t.test('node:http with the URL class sees the path that was matched, in every spelling', async t => {
  const server = createServer((request, response) => response.end(new URL(`http://app${request.url}`).pathname));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await check(t, { port: (server.address() as AddressInfo).port, normalization: 'BASE', meant: form => form });
});
