import t from 'tap';
import type { RetryView } from '../../../../api/snapshot.ts';
import { type ErrorCode, proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { DEFAULT_RETRIES, type ResetRetries, retryReason } from '../../../../sidecar/resilience/retry-policy.ts';
import { requestHead, responseHead } from '../exchange.fixture.ts';

const GET = requestHead();
const POST = requestHead('POST');
const view = (changes: Partial<RetryView>): RetryView => ({
  attempts: 2,
  codes: [],
  backoffMs: 25,
  on: [],
  ...changes,
});

interface Case {
  readonly request?: typeof GET;
  readonly retry?: RetryView | null;
  readonly retriesResets?: ResetRetries;
  readonly reusedConnection?: boolean;
  readonly attempt?: number;
}
const rules = ({ retry = null, retriesResets = 'always' }: Case) => ({ retry, retriesResets });
const ofError = (code: ErrorCode, of: Case = {}, detail = 'x'): string => {
  const result = { error: proxyError(code, detail), head: undefined, reusedConnection: of.reusedConnection ?? false };
  return retryReason(of.request ?? GET, result, of.attempt ?? 1, rules(of));
};
const ofHead = (head: ReturnType<typeof responseHead>, of: Case = {}): string =>
  retryReason(of.request ?? GET, { error: undefined, head, reusedConnection: false }, of.attempt ?? 1, rules(of));
const mesh = (flag: string, notProcessed: boolean) => responseHead(503, NO_FIELDS, { flag, notProcessed });

t.test('what was not sent is repeated for every method', t => {
  for (const request of [GET, POST, requestHead('CONNECT'), requestHead('GET', NO_FIELDS, 'websocket')]) {
    t.equal(ofError('CONNECT_FAILED', { request }), 'connect-failure');
    t.equal(ofError('PEER_IDENTITY', { request }), 'connect-failure');
    t.equal(ofError('REFUSED', { request }), 'refused-stream');
    t.equal(ofHead(mesh('UF', true), { request }), 'connect-failure');
  }
  t.end();
});

t.test('a reset is repeated once, for GET, HEAD and OPTIONS', t => {
  for (const code of ['UPSTREAM_RESET', 'UPSTREAM_CLOSED'] as const) {
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      t.equal(ofError(code, { request: requestHead(method) }), 'reset', method);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'CONNECT', 'get'])
      t.equal(ofError(code, { request: requestHead(method) }), '', method);
    t.equal(ofError(code, { request: requestHead('GET', NO_FIELDS, 'websocket') }), '', 'not an Upgrade');
    t.equal(ofError(code, { attempt: 2 }), '', 'not twice');
  }
  for (const flag of ['UC', 'UR']) {
    t.equal(ofHead(mesh(flag, false)), 'reset', `the other sidecar says ${flag}`);
    t.equal(ofHead(mesh(flag, false), { request: POST }), '');
  }
  t.end();
});

t.test('beside the app a reset is repeated only where an idle connection was closed', t => {
  const retriesResets = 'reused-connections';
  t.equal(ofError('UPSTREAM_CLOSED', { retriesResets }), '');
  const reused = { retriesResets, reusedConnection: true } as const;
  t.equal(ofError('UPSTREAM_CLOSED', reused, 'connection_ended'), 'reset');
  t.equal(ofError('UPSTREAM_CLOSED', reused, 'connection_lost'), '', 'a TCP reset is an answer of the app');
  t.equal(ofError('UPSTREAM_CLOSED', { ...reused, request: POST }, 'connection_ended'), '');
  t.equal(ofError('CONNECT_FAILED', { retriesResets }), 'connect-failure');
  t.end();
});

t.test('refusals by policy or limit are final, whatever the route says', t => {
  const retry = view({ on: ['5xx', 'reset', 'gateway-error', 'connect-failure'], codes: [503] });
  for (const flag of ['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE'])
    for (const processed of [true, false]) t.equal(ofHead(mesh(flag, processed), { retry }), '', flag);
  for (const code of ['DENIED', 'RATE_LIMITED', 'OVERFLOW', 'OVERLOAD', 'NO_ROUTE', 'NO_HEALTHY_UPSTREAM'] as const)
    t.equal(ofError(code, { retry }), '', code);
  for (const code of ['DEADLINE_EXCEEDED', 'DOWNSTREAM_RESET', 'DOWNSTREAM_PROTOCOL', 'UPSTREAM_PROTOCOL'] as const)
    t.equal(ofError(code, { retry }), '', code);
  t.end();
});

t.test('an answer of the app is repeated only where the route says so', t => {
  const table: [status: number, on: string[], codes: number[], reason: string][] = [
    [503, [], [], ''],
    [503, ['5xx'], [], '5xx'],
    [500, ['5xx'], [], '5xx'],
    [599, ['5xx'], [], '5xx'],
    [499, ['5xx'], [], ''],
    [502, ['gateway-error'], [], 'gateway-error'],
    [504, ['gateway-error'], [], 'gateway-error'],
    [500, ['gateway-error'], [], ''],
    [505, ['gateway-error'], [], ''],
    [409, ['retriable-4xx'], [], 'retriable-4xx'],
    [404, ['retriable-4xx'], [], ''],
    [429, [], [429], 'retriable-status-codes'],
    [200, ['5xx', 'gateway-error', 'retriable-4xx'], [], ''],
  ];
  for (const [status, on, codes, reason] of table)
    t.equal(
      ofHead(responseHead(status), { retry: view({ on, codes }), request: POST }),
      reason,
      `${status} ${on.join()} ${codes.join()}`,
    );
  t.equal(ofHead(responseHead(503)), '', 'and never by default');
  t.end();
});

t.test('a gRPC status is repeated by its name, when it came without a message', t => {
  const on = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'];
  const answer = (status: number, grpc: string) =>
    responseHead(status, ['content-type', 'application/grpc', 'grpc-status', grpc]);
  const statuses = { '1': on[0]!, '4': on[1]!, '13': on[2]!, '8': on[3]!, '14': on[4]!, '0': '', '5': '', '2': '' };
  for (const [grpc, reason] of Object.entries(statuses))
    t.equal(ofHead(answer(200, grpc), { retry: view({ on }), request: POST }), reason, grpc);
  t.equal(ofHead(answer(200, '14'), { retry: view({ on: ['internal'] }) }), '');
  t.equal(ofHead(responseHead(200), { retry: view({ on }) }), '', 'a head without a status');
  t.end();
});

t.test('attempts end: after two retries by default, or as the route says', t => {
  t.equal(ofError('REFUSED', { attempt: DEFAULT_RETRIES }), 'refused-stream');
  t.equal(ofError('REFUSED', { attempt: DEFAULT_RETRIES + 1 }), '');
  t.equal(ofError('REFUSED', { retry: view({ attempts: 0 }) }), '', 'never is never');
  t.equal(ofError('REFUSED', { retry: view({ attempts: 5 }), attempt: 5 }), 'refused-stream');
  t.equal(ofError('UPSTREAM_RESET', { retry: view({ on: ['reset'] }), request: POST, attempt: 2 }), 'reset');
  t.end();
});
