import t from 'tap';
import type { PathNormalization } from '../../../../api/snapshot.ts';
import { manualClock } from '../../../../common/clock.ts';
import { BufferBudget } from '../../../../sidecar/buffer-budget.ts';
import { Exchange } from '../../../../sidecar/exchange.ts';
import { Fields, LinkInfo, RequestHead } from '../../../../sidecar/protocol/head.ts';
import { normalizePath } from '../../../../sidecar/route/normalize-path.ts';
import { RouteTable } from '../../../../sidecar/route/route-table.ts';
import { NEVER_AGAIN, Pipeline } from '../../../../sidecar/step.ts';
import { FakeDownstream } from '../exchange.fixture.ts';
import { snapshotOf } from './snapshot.fixture.ts';

const headOf = (path: string, method = 'GET', link?: LinkInfo): RequestHead =>
  new RequestHead(method, 'http', 'app', path, new Fields(['a', 'b'], '1.1;A'), '', link);
const tableOf = (pathNormalization?: PathNormalization): RouteTable =>
  new RouteTable({ ...snapshotOf(), ...(pathNormalization === undefined ? {} : { pathNormalization }) }, 'default');

/** Runs the step by the rules of `routing` at that moment. */
const run = (routing: { readonly table: RouteTable }, head: RequestHead) => {
  const downstream = new FakeDownstream();
  const pipeline = new Pipeline([normalizePath(routing)], NEVER_AGAIN, []);
  const context = { pipeline, clock: manualClock(), account: new BufferBudget() };
  const exchange = new Exchange(context, { link: false, target: undefined }, downstream, head, [], true);
  exchange.resume();
  return { exchange, downstream };
};

t.test('an exchange goes on with the normal form of its path, made once for each head', t => {
  const routing = { table: tableOf() };
  const head = headOf('/a/../b?c', 'PUT', new LinkInfo('app.default', 80));
  const { exchange } = run(routing, head);
  const { path, method, scheme, authority, fields, link } = exchange.head;
  t.same([path, method, scheme, authority], ['/b?c', 'PUT', 'http', 'app']);
  t.equal(fields, head.fields);
  t.equal(link, head.link);
  t.equal(run(routing, head).exchange.head, exchange.head);
  t.end();
});

t.test('a head whose path is normal stays the same object', t => {
  const head = headOf('/a/b');
  t.equal(run({ table: tableOf() }, head).exchange.head, head);
  t.end();
});

t.test('other settings make another form, also of a head that is known', t => {
  const routing = { table: tableOf() };
  const head = headOf('/a//b%2fc');
  t.equal(run(routing, head).exchange.head.path, '/a//b%2Fc');
  routing.table = tableOf('DECODE_AND_MERGE_SLASHES');
  t.equal(run(routing, head).exchange.head.path, '/a/b/c');
  routing.table = tableOf('NONE');
  t.equal(run(routing, head).exchange.head, head);
  t.end();
});

t.test('what has no normal form is answered with 400', t => {
  const { exchange, downstream } = run({ table: tableOf() }, headOf('/a%00'));
  t.ok(exchange.done);
  t.equal(downstream.head?.status, 400);
  t.match(exchange.error, { code: 'DOWNSTREAM_PROTOCOL', detail: 'nul_in_path' });
  t.end();
});

t.test('what is not a path of HTTP stays as it is', t => {
  const thrift = new LinkInfo('app.default', 80, '', 'framed;binary;call');
  for (const head of [headOf('', 'CONNECT'), headOf('*', 'OPTIONS'), headOf('/-/a%', 'POST', thrift)])
    t.equal(run({ table: tableOf() }, head).exchange.head, head);
  t.end();
});
