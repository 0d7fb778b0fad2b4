import t from 'tap';
import { proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { AccessLog, type AccessLogEntry, formatEntry, isFailure } from '../../../../sidecar/telemetry/access-log.ts';

const ENTRY: AccessLogEntry = {
  direction: 'outbound',
  startedAtWallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  durationMs: 12.34567,
  requestId: 'id-1',
  method: 'GET',
  authority: 'payments',
  path: '/pay?token=secret',
  protocol: 'http1',
  status: 200,
  grpcStatus: '',
  error: undefined,
  peerFlag: '',
  requestBytes: 1,
  responseBytes: 2,
  sourcePrincipal: 'spiffe://mesh.local/ns/shop/sa/web',
  destinationPrincipal: 'spiffe://mesh.local/ns/shop/sa/payments',
  sourceService: 'web.shop',
  destinationService: 'payments.shop',
  upstreamAddress: '10.0.0.7:15006',
  route: 'shop/payments/0',
  attempts: 1,
};

t.test('a line has what happened, without the query of the path', t => {
  t.same(JSON.parse(formatEntry(ENTRY)), {
    time: '2026-01-02T03:04:05.006Z',
    type: 'access',
    direction: 'outbound',
    request_id: 'id-1',
    method: 'GET',
    authority: 'payments',
    path: '/pay',
    protocol: 'http1',
    status: 200,
    flags: '-',
    duration_ms: 12.346,
    request_bytes: 1,
    response_bytes: 2,
    source_service: 'web.shop',
    source_principal: 'spiffe://mesh.local/ns/shop/sa/web',
    destination_service: 'payments.shop',
    destination_principal: 'spiffe://mesh.local/ns/shop/sa/payments',
    upstream_address: '10.0.0.7:15006',
    route: 'shop/payments/0',
    attempts: 1,
  });
  t.end();
});

t.test('a failure has its code, detail and cause', t => {
  const error = proxyError('CONNECT_FAILED', 'connection_refused', 'ECONNREFUSED');
  const line = JSON.parse(
    formatEntry({ ...ENTRY, path: '/pay', status: 503, grpcStatus: '14', error, upstreamAddress: '' }),
  );
  t.match(line, {
    status: 503,
    grpc_status: 14,
    flags: 'UF',
    error: 'CONNECT_FAILED',
    detail: 'connection_refused',
    cause: 'ECONNREFUSED',
  });
  t.notOk('upstream_address' in line, 'what is empty is left out');
  t.end();
});

t.test('an answer that the peer made has the flag of the peer', t => {
  t.equal(JSON.parse(formatEntry({ ...ENTRY, status: 503, peerFlag: 'UO' })).flags, 'UO');
  t.end();
});

t.test('whatever a request holds, its line is one line of JSON', t => {
  const line = formatEntry({ ...ENTRY, path: '/a\n{"b"}', authority: '\u2028"' });
  t.notMatch(line, /\n/);
  t.equal(JSON.parse(line).path, '/a\n{"b"}');
  t.end();
});

t.test('errors are what failed, whoever failed', t => {
  t.notOk(isFailure(200, '', undefined, ''));
  t.notOk(isFailure(404, '', undefined, ''), 'the app may say so');
  t.notOk(isFailure(200, '0', undefined, ''));
  t.ok(isFailure(200, '13', undefined, ''), 'gRPC');
  t.ok(isFailure(500, '', undefined, ''));
  t.ok(isFailure(0, '', undefined, ''), 'no answer');
  t.ok(isFailure(403, '', proxyError('DENIED', 'x'), ''), 'refused here');
  t.ok(isFailure(403, '', undefined, 'UAEX'), 'refused at the peer');
  t.end();
});

t.test('off logs nothing, errors the failures, all everything', t => {
  const sink = { lines: [] as string[], write: (line: string): void => void sink.lines.push(line) };
  const wanted = (mode: 'off' | 'errors' | 'all') => {
    const log = new AccessLog(mode, sink);
    return [log.wants(200, '', undefined, ''), log.wants(503, '', undefined, '')];
  };
  t.same(wanted('off'), [false, false]);
  t.same(wanted('errors'), [false, true]);
  t.same(wanted('all'), [true, true]);
  new AccessLog('all', sink).write(ENTRY);
  t.same(sink.lines, [`${formatEntry(ENTRY)}\n`]);
  t.end();
});
