/** Header filters of a rule and of its backend, through two sidecars: on fields that repeat and on those that are new with every message. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { request } from 'undici';
import type { FilterView, NameValue } from '../../api/snapshot.ts';
import { startSidecarPair } from '../support/pair.ts';

type Type = Extract<FilterView, { readonly set: unknown }>['type'];
interface Change {
  readonly set?: readonly NameValue[];
  readonly add?: readonly NameValue[];
  readonly remove?: readonly string[];
}
const modifier = (type: Type, change: Change): FilterView => ({ type, set: [], add: [], remove: [], ...change });

const seen: (readonly string[])[] = [];
const app = createServer((incoming, response) => {
  seen.push(incoming.rawHeaders);
  response.writeHead(200, { ETag: `"${seen.length}"`, Server: 'app', 'X-By': 'app' }).end('ok');
}).listen(0, '127.0.0.1');
t.teardown(() => app.close());
await once(app, 'listening');

const headers = (raw: readonly string[] | undefined, name: string): string[] =>
  (raw ?? []).filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === name);

t.test('filters of the rule and of the backend change requests and answers', async t => {
  await using pair = await startSidecarPair({
    services: [{ name: 'app', port: 80, protocol: 'http', appPort: (app.address() as AddressInfo).port }],
    editSnapshot: snapshot => ({
      ...snapshot,
      services: snapshot.services.map(service => ({
        ...service,
        ports: service.ports.map(port => ({
          ...port,
          routes: [
            {
              name: 'default/r/0',
              matches: [],
              requestTimeoutMs: null,
              attemptTimeoutMs: 0,
              retry: null,
              filters: [
                modifier('RequestHeaderModifier', {
                  set: [{ name: 'X-Request-Id', value: 'mine' }],
                  remove: ['If-None-Match'],
                }),
                modifier('ResponseHeaderModifier', {
                  add: [{ name: 'X-By', value: 'rule' }],
                  remove: ['Server'],
                }),
              ],
              backends: [
                {
                  service: 'app.default',
                  port: 80,
                  weight: 1,
                  filters: [
                    modifier('RequestHeaderModifier', { add: [{ name: 'X-Team', value: 'one' }] }),
                    modifier('ResponseHeaderModifier', {
                      add: [{ name: 'X-By', value: 'backend' }],
                      set: [{ name: 'Date', value: 'never' }],
                      remove: ['ETag'],
                    }),
                  ],
                },
              ],
            },
          ],
        })),
      })),
    }),
  });
  for (let i = 0; i < 3; i++) {
    const answer = await request(`http://127.0.0.1:${pair.outbound}/`, {
      headers: { host: 'app', 'if-none-match': `"${i}"`, 'x-request-id': `caller-${i}` },
    });
    t.equal(await answer.body.text(), 'ok');
    t.match(answer.headers, { 'x-by': 'app,backend,rule', date: 'never' });
    for (const name of ['etag', 'server']) t.notOk(name in answer.headers, name);
    const raw = seen.at(-1);
    t.same(headers(raw, 'x-request-id'), ['mine']);
    t.same(headers(raw, 'if-none-match'), []);
    t.same(headers(raw, 'x-team'), ['one']);
  }
});
