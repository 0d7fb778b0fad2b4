/** Regular expressions that take a backtracking engine hours, in the routes of a running sidecar. */
import t from 'tap';
import { request } from 'undici';
import { compilePattern } from '../../api/pattern.ts';
import type { RouteView, Snapshot } from '../../api/snapshot.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';

const CATASTROPHES = [
  '/(a+)+',
  '/(a|a)*',
  '/(a|aa)+',
  '/(.*a){12}',
  '/([a-zA-Z]+)*',
  '/(a*)*(a*)*b',
  '/a?a?a?a?a?a?a?a?aaaaaaaa',
];
const route = (value: string, i: number): RouteView => ({
  name: `default/app/${i}`,
  matches: [{ path: { type: 'RegularExpression', value } }],
  filters: [{ type: 'RequestRedirect', statusCode: 302, hostname: 'elsewhere' }],
  backends: [],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
});
const own: RouteView = {
  ...route('', 99),
  matches: [],
  filters: [],
  backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }],
};
const withRoutes = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  services: snapshot.services.map(service => ({
    ...service,
    ports: service.ports.map(port => ({ ...port, routes: [...CATASTROPHES.map(route), own] })),
  })),
});

t.test('catastrophic regular expressions in config', async t => {
  await using app = await startHttpApp();
  await using pair = await startSidecarPair({
    services: [{ name: 'app', port: 80, protocol: 'http', appPort: app.port }],
    editSnapshot: withRoutes,
  });
  const ask = async (path: string): Promise<number> => {
    const answer = await request(`http://127.0.0.1:${pair.outbound}${path}`, { headers: { host: 'app' } });
    await answer.body.dump();
    return answer.statusCode;
  };
  t.equal(await ask('/aaaa'), 302, 'they match what they should');
  t.equal(await ask('/early-hints'), 200);
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) t.equal(await ask(`/${'a'.repeat(40 + i)}!`), 404, 'the app has no such page');
  for (let i = 0; i < 3; i++) t.equal(await ask(`/${'a'.repeat(8_000 + i)}!`), 404);
  const ms = performance.now() - startMs;
  t.ok(ms < 3_000, `matched in linear time: ${Math.round(ms)} ms`);
  for (const refused of ['(a)\\1', '(?=a)', '(?<!a)b', `${'(a{1,30}){1,30}'.repeat(4)}`])
    t.type(compilePattern(refused), 'string', `${refused}: refused when written`);
});
