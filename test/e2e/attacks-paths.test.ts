/** One path in many spellings: a policy must hold for all of them, and the app must see the one that was judged. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import t from 'tap';
import type { PathNormalization, RouteView, Snapshot } from '../../api/snapshot.ts';
import { createSvid } from '../support/peer-certificates.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { headers } from '../unit/sidecar/protocol/http2/wire.ts';
import { RawHttp2 } from './attacks/raw-http2.ts';
import { startStage } from './attacks/stage.ts';

const route = (name: string, view: Partial<RouteView>): RouteView => ({
  name,
  matches: [],
  filters: [],
  backends: [],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...view,
});
/** Nobody gets to `/admin`: that is the policy. */
const ROUTES = [
  route('default/admin/0', {
    matches: [{ path: { type: 'PathPrefix', value: '/admin' } }],
    filters: [{ type: 'RequestRedirect', statusCode: 302, hostname: 'elsewhere' }],
  }),
  route('default/rest/0', { backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }] }),
];
const guarded =
  (pathNormalization?: PathNormalization) =>
  (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    ...(pathNormalization === undefined ? {} : { pathNormalization }),
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({ ...port, routes: ROUTES })),
    })),
  });

/** The status, or what the app sees as the target. */
type Expectation = readonly (readonly [path: string, seen: string])[];
/** Whatever the setting. */
const ALWAYS: Expectation = [
  ['/admin', '302'],
  ['/./admin', '302'],
  ['/x/../admin', '302'],
  ['/../admin/x', '302'],
  ['/%61dmin', '302'],
  ['/x/%2e%2E/admin', '302'],
  ['/x\\..\\admin', '302'],
  ['/admin/.', '302'],
  ['/admin%00', '400'],
  ['/admin%', '400'],
  ['/%zzadmin', '400'],
  ['/x/..;/admin', '400'],
  ['/x/%2e%2E%3badmin', '400'],
  ['/a/./b/../%7ec?x=/../%2f', '/a/~c?x=/../%2f'],
  ['/a%3bb;c', '/a%3Bb;c'],
  ['/caf\xc3\xa9', '/caf%C3%A9'],
  ['/%252e%252e/admin', '/%252e%252e/admin'],
];
/** By default. */
const BASE: Expectation = [
  ['//admin', '//admin'],
  ['/x%2f..%5cadmin', '/x%2F..%5Cadmin'],
];
const SLASHES: Expectation = [
  ['//admin', '302'],
  ['/x//../admin', '302'],
  ['/x%2f..%2fadmin', '302'],
  ['/x%5C..%5cadmin', '302'],
  ['/%2fadmin%2Fx', '302'],
  ['/x%2f..;/admin', '400'],
  ['/a//b%2fc', '/a/b/c'],
];

t.test('path tricks (`//`, `/./`, `/../`, `%2f`, `%5c`, `%00`, `;`, upper-case escapes) around policy', async t => {
  const [byDefault, slashes] = await Promise.all([
    startStage({}, guarded()),
    startStage({}, guarded('DECODE_AND_MERGE_SLASHES')),
  ]);
  for (const [stage, expected] of [
    [byDefault, [...ALWAYS, ...BASE]],
    [slashes, [...ALWAYS, ...SLASHES]],
  ] as const) {
    const { app, pair } = stage;
    const seenByApp = (): string => /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(app.received)?.[1] ?? '';
    for (const [path, seen] of expected) {
      app.received = '';
      await using connection = new RawConnection(pair.outbound);
      connection.write(`GET ${path} HTTP/1.1\r\nHost: app\r\n\r\n`);
      const text = await connection.until(received => received.includes('\r\n\r\n'));
      const status = text.slice(9, 12);
      t.equal(status === '200' ? seenByApp() : status, seen, `HTTP/1.1: ${path}`);
      if (status !== '200') t.equal(app.received, '', 'and nothing reaches the app');
      if (status === '400') t.match(text, /x-outrider-detail: (?:bad_path_escape|nul_in_path|dot_segment_parameter)\r/);
    }
    using client = new RawHttp2(pair.outbound);
    for (const [i, [path, seen]] of expected.entries()) {
      app.received = '';
      client.write(headers(2 * i + 1, [':method', 'GET', ':scheme', 'http', ':path', path, ':authority', 'app']));
      await client.until(() => client.status(2 * i + 1) !== undefined);
      const status = client.status(2 * i + 1);
      t.equal(status === '200' ? seenByApp() : status, seen, `HTTP/2: ${path}`);
    }
    const samples = await pair.a.samples();
    t.ok(total(samples, 'outrider_requests_total', { response_flags: 'DPE' }) > 0, 'what is refused is counted');
    await stage.othersAreServed(t);
  }

  await t.test('the sidecar of the app does not trust its peer to have made the normal form', async t => {
    const { app, pair } = byDefault;
    const { certificatePem: cert, keyPem: key } = createSvid(pair.mesh.root, 'client');
    const ca = pair.mesh.root.certificatePem;
    const session = connect(`https://127.0.0.1:${pair.inbound}`, {
      cert,
      key,
      ca,
      checkServerIdentity: () => undefined,
    });
    t.teardown(() => session.destroy());
    for (const [path, status, seen] of [
      ['/x/%2e%2E/y', 200, '/y'],
      ['/x/..;/y', 400, undefined],
      ['/%00', 400, undefined],
    ] as const) {
      app.received = '';
      const stream = session.request({ ':path': path, ':authority': 'app' });
      const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.close();
      t.equal(answer[':status'], status, path);
      t.equal(/^GET (\S+)/.exec(app.received)?.[1], seen);
    }
  });
});
