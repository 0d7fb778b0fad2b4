import t from 'tap';
import { edgesOf } from '../../../../cli/demo/edges.ts';
import { edgeTable, isGood, summaryJson, summaryLines } from '../../../../cli/demo/report.ts';
import { parseSamples } from '../../../../cli/demo/samples.ts';

const labels = (more: string, security = 'mutual_tls') =>
  `source_service="web",destination_service="pay",request_protocol="http",connection_security_policy="${security}",${more}`;

const exposition = ({ code = '200', security = 'mutual_tls', received = 10, principal = 'spiffe://m/ns/d/sa/web' }) =>
  parseSamples(`# TYPE outrider_requests_total counter
outrider_requests_total{${labels('reporter="source",response_code="200",grpc_response_status=""', security)}} 8
outrider_requests_total{${labels(`reporter="source",response_code="${code}",grpc_response_status=""`, security)}} 1
outrider_requests_total{${labels(`reporter="destination",source_principal="${principal}"`)}} ${received}
outrider_retries_total{source_service="web",destination_service="pay",reason="x\\"}y"} 1
outrider_request_duration_seconds_bucket{${labels('reporter="source",le="0.01"', security)}} 9
outrider_request_duration_seconds_bucket{${labels('reporter="source",le="+Inf"', security)}} 9
outrider_endpoint_state{destination_service="pay",endpoint="a:1",state="healthy"} 1
outrider_endpoint_state{destination_service="pay",endpoint="b:1",state="ejected"} 1
outrider_endpoint_state{destination_service="other",endpoint="c:1",state="healthy"} 1
`);

const summary = (samples: Parameters<typeof edgesOf>[0], more: object = {}) => ({
  edges: edgesOf(samples, true),
  sent: 9,
  failed: 0,
  firstAnswerSeconds: 1.5,
  seconds: 2,
  ...more,
});

t.test('an edge is what the two sidecars say of it', t => {
  t.same(edgesOf(exposition({}), true), [
    {
      from: 'web',
      to: 'pay',
      protocol: 'http',
      requests: 9,
      failures: 0,
      retries: 1,
      p50: 5,
      p99: 9.9,
      security: 'mutual_tls',
      endpoints: '1 healthy, 1 ejected',
    },
  ]);
  t.equal(edgesOf(exposition({ code: '503' }), true)[0]?.failures, 1);
  t.equal(edgesOf(exposition({ code: '0' }), true)[0]?.failures, 1, 'no answer at all');
  t.end();
});

t.test('an edge of raw TCP counts connections, and no time', t => {
  const labels =
    'source_service="web",destination_service="db",request_protocol="tcp",connection_security_policy="mutual_tls"';
  const samples = parseSamples(`# TYPE outrider_tcp_connections_opened_total counter
outrider_tcp_connections_opened_total{reporter="source",${labels}} 3
outrider_tcp_connections_opened_total{reporter="destination",source_principal="spiffe://m/ns/d/sa/web",${labels}} 3
outrider_tcp_connections_closed_total{reporter="source",${labels}} 2
`);
  const edges = edgesOf(samples, true);
  t.match(edges, [
    { from: 'web', to: 'db', protocol: 'tcp', requests: 3, failures: 0, p50: 0, security: 'mutual_tls' },
  ]);
  t.match(edgeTable(edges, [1]).at(-1), /tcp +1\.0 +3 +100\.0% +- +- /);
  t.end();
});

t.test('an edge is secure only when both sides say so of every request, and the caller was who it says', t => {
  const security = (...[of, settled = true]: [Parameters<typeof exposition>[0], boolean?]) =>
    edgesOf(exposition(of), settled)[0]?.security;
  t.equal(security({}), 'mutual_tls');
  t.equal(security({ security: 'none' }), 'none');
  t.equal(security({ principal: 'spiffe://m/ns/d/sa/thief' }), 'none');
  t.equal(security({ principal: '' }), 'none');
  t.equal(security({ received: 8 }), 'none', 'one request came by another way');
  t.equal(security({ received: 8 }, false), 'mutual_tls', 'while requests are under way the numbers may differ');
  t.end();
});

t.test('the verdict is good only when everything succeeded', t => {
  t.ok(isGood(summary(exposition({}))));
  t.notOk(isGood(summary(exposition({ code: '503' }))));
  t.notOk(isGood(summary(exposition({ received: 1 }))));
  t.notOk(isGood(summary(exposition({}), { failed: 1 })));
  t.notOk(isGood(summary(exposition({}), { sent: 0 })));
  t.match(
    summaryLines(summary(exposition({}))).join('\n'),
    /9 requests.*1 attempts were retried.*\n.*1\.5 s.*\nEvery request succeeded/,
  );
  t.match(summaryLines(summary(exposition({ code: '500' }))).join('\n'), /NOT every request/);
  const json = JSON.parse(summaryJson(summary(exposition({})))) as { readonly edges: readonly object[] };
  t.same(Object.keys(json.edges[0] ?? {}), [
    'from',
    'to',
    'protocol',
    'requests',
    'failures',
    'retries',
    'p50',
    'p99',
    'security',
  ]);
  t.end();
});
