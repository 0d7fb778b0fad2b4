import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { adminRoutes } from '../../../../sidecar/admin/admin-routes.ts';
import { type HttpServer, serveRoutes } from '../../../../sidecar/admin/http-server.ts';
import type { AdminSources } from '../../../../sidecar/admin/sources.ts';
import { fakeLogger, fakeSources } from './admin.fixture.ts';

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

const ask = (server: HttpServer, method: string, path: string, headers: Record<string, string> = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    request({ host: server.host, port: server.port, method, path, headers, agent: false }, response => {
      text(response).then(
        body => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    })
      .on('error', reject)
      .end();
  });

const setUp = async (t: Test, changes: Partial<AdminSources> = {}) => {
  const calls: string[] = [];
  const messages: string[] = [];
  const routes = adminRoutes(fakeSources(calls, changes));
  const server = await serveRoutes({ host: '127.0.0.1', port: 0 }, routes, fakeLogger(messages));
  t.teardown(() => server[Symbol.asyncDispose]());
  return { server, calls, messages, routes };
};

t.test('ready is 200, or 503 with the reasons', async t => {
  let reasons: string[] = [];
  const { server } = await setUp(t, { ready: () => ({ ready: reasons.length === 0, reasons }) });
  t.match(await ask(server, 'GET', '/ready'), { status: 200, body: 'ready\n' });
  reasons = ['No certificate yet.', 'No snapshot yet.'];
  t.match(await ask(server, 'GET', '/ready'), { status: 503, body: 'No certificate yet.\nNo snapshot yet.\n' });
  t.match(await ask(server, 'GET', '/live'), { status: 200, body: 'live\n' });
});

t.test('tables are for people, JSON for programs', async t => {
  const { server } = await setUp(t);
  t.equal(
    (await ask(server, 'GET', '/clusters')).body,
    [
      'SERVICE        ENDPOINT        STATE    ACTIVE_REQUESTS',
      'payments.shop  10.0.0.7:15006  ready    3',
      'ledger.books   10.0.0.8:15006  ejected  0',
      '',
    ].join('\n'),
  );
  const json = await ask(server, 'GET', '/clusters?format=json');
  t.equal(json.headers['content-type'], 'application/json; charset=utf-8');
  t.match(JSON.parse(json.body), [{ service: 'payments.shop', active_requests: 3 }, { state: 'ejected' }]);
  t.match(JSON.parse((await ask(server, 'GET', '/certs', { accept: 'application/json' })).body), [{ days_left: 1 }]);
  t.equal((await ask(server, 'GET', '/listeners')).body, 'none\n');
  t.match((await ask(server, 'GET', '/server_info')).body, /^identity +-$/m);
  t.match(JSON.parse((await ask(server, 'GET', '/server_info?format=json')).body), { service: 'web', pid: 7 });
  t.equal((await ask(server, 'GET', '/stats')).body, 'a 1\nb 2\n');
});

t.test('keys and tokens are never shown', async t => {
  const { server } = await setUp(t);
  const { body } = await ask(server, 'GET', '/config_dump');
  t.same(JSON.parse(body), { snapshot: { services: [] }, key: '[redacted]', token: '[redacted]' });
});

t.test('nothing changes state on GET', async t => {
  const { server, calls } = await setUp(t);
  for (const path of ['/drain', '/quitquitquit', '/logging?level=debug']) {
    for (const method of ['GET', 'HEAD', 'PUT']) {
      t.match(await ask(server, method, path), { status: 405, headers: { allow: 'POST' } }, `${method} ${path}`);
    }
  }
  t.same(calls, []);
  t.match(await ask(server, 'POST', '/clusters'), { status: 405, headers: { allow: 'GET, HEAD' } });
});

t.test('POST drains, quits and sets the log level', async t => {
  const { server, calls } = await setUp(t);
  t.equal((await ask(server, 'POST', '/drain')).status, 200);
  t.match(await ask(server, 'POST', '/logging?level=debug'), { status: 200, body: 'level is debug\n' });
  t.match(await ask(server, 'POST', '/logging?level=loud'), { status: 400, body: /one of trace, debug.*"loud"/ });
  t.equal((await ask(server, 'POST', '/logging')).status, 400);
  t.match(await ask(server, 'POST', '/quitquitquit'), { status: 200, body: 'quitting\n' });
  t.same(calls, ['drain', 'level debug', 'quit'], 'it quits when the answer is out');
});

t.test('an unknown path lists the known ones, and so does the index', async t => {
  const { server, routes } = await setUp(t);
  for (const path of ['/nothing', '/toString', '/ready/']) {
    const { status, body } = await ask(server, 'GET', path);
    t.equal(status, 404, path);
    for (const known of Object.keys(routes)) t.ok(body.includes(`\n${known}\n`), known);
  }
  const index = await ask(server, 'GET', '/');
  for (const known of Object.keys(routes)) t.ok(index.body.includes(known), known);
  const page = await ask(server, 'GET', '/', { accept: 'text/html,*/*' });
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  t.match(page.body, '<a href="/clusters">');
  t.notMatch(page.body, 'href="/drain"');
});

t.test('HEAD has the head of GET, and no body', async t => {
  const { server } = await setUp(t);
  t.match(await ask(server, 'HEAD', '/clusters'), { status: 200, body: '' });
  t.match(await ask(server, 'HEAD', '/stats'), { status: 200, body: '' });
});

t.test('web pages of other sites can neither read nor change anything', async t => {
  const { server, calls } = await setUp(t);
  const own = `${server.host}:${server.port}`;
  t.equal((await ask(server, 'POST', '/drain', { origin: 'https://evil.example' })).status, 403);
  t.equal((await ask(server, 'POST', '/drain', { origin: 'null' })).status, 403);
  t.equal(
    (await ask(server, 'GET', '/config_dump', { host: `evil.example:${server.port}` })).status,
    403,
    'a name that leads here',
  );
  t.same(calls, []);
  t.equal((await ask(server, 'POST', '/drain', { origin: `http://${own}` })).status, 200);
  t.equal((await ask(server, 'GET', '/live', { host: 'localhost:15000' })).status, 200);
  t.equal((await ask(server, 'GET', '/live', { host: '[::1]:15000' })).status, 200);
});

t.test('a page that fails is a 500, and the server lives on', async t => {
  const { server, messages } = await setUp(t, {
    clusters: () => {
      throw new Error('broken');
    },
    stats: async function* () {
      yield 'a 1\n';
      throw new Error('broken on the way');
    },
  });
  t.equal((await ask(server, 'GET', '/clusters')).status, 500);
  await t.rejects(ask(server, 'GET', '/stats'), 'an answer that breaks off is not taken for a whole one');
  t.equal((await ask(server, 'GET', '/live')).status, 200);
  t.equal(messages.length, 2);
});

t.test('garbage instead of HTTP is refused, and the server lives on', async t => {
  const { server } = await setUp(t);
  const socket = connect(server.port, server.host);
  socket.end('\u0000\u0001 nonsense\r\n\r\n');
  t.match(await text(socket), /^HTTP\/1.1 400/);
  t.equal((await ask(server, 'GET', '//live')).status, 404);
  t.equal((await ask(server, 'GET', '/live')).status, 200);
});

t.test('a port that is taken is an error', async t => {
  const { server, routes } = await setUp(t);
  await t.rejects(serveRoutes({ host: server.host, port: server.port }, routes, fakeLogger([])), {
    code: 'EADDRINUSE',
  });
});
