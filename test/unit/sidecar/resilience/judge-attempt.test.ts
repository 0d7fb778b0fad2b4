import t from 'tap';
import { ERRORS, type ErrorCode, proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { describeFailure, type Judgement, judgeAttempt } from '../../../../sidecar/resilience/judge-attempt.ts';

const outcome = (changes: Partial<Parameters<typeof judgeAttempt>[0]> = {}) => ({
  error: undefined,
  status: 200,
  grpcStatus: '',
  peerFlag: '',
  ...changes,
});

t.test('each of our own errors counts against the instance, or says nothing about it', t => {
  const failures: ReadonlySet<string> = new Set([
    'CONNECT_FAILED',
    'PEER_IDENTITY',
    'UPSTREAM_RESET',
    'UPSTREAM_CLOSED',
    'UPSTREAM_PROTOCOL',
    'DEADLINE_EXCEEDED',
  ]);
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    t.equal(
      judgeAttempt(outcome({ error: proxyError(code, 'x'), status: 503 })),
      failures.has(code) ? 'failure' : 'neutral',
      code,
    );
  for (const detail of ['endpoint_gone', 'no_identity'])
    t.equal(judgeAttempt(outcome({ error: proxyError('CONNECT_FAILED', detail) })), 'neutral', detail);
  t.end();
});

t.test('refusals by policy or limit are not the app’s fault', t => {
  for (const peerFlag of ['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE', 'DC'])
    t.equal(judgeAttempt(outcome({ status: 503, peerFlag })), 'neutral', peerFlag);
  for (const peerFlag of ['UF', 'UC', 'UR', 'UT', 'UPE', 'UH'])
    t.equal(judgeAttempt(outcome({ status: 503, peerFlag })), 'failure', peerFlag);
  t.end();
});

t.test('an answer of the app counts by its status', t => {
  const http: Record<number, Judgement> = {
    101: 'success',
    200: 'success',
    404: 'success',
    429: 'success',
    499: 'success',
    500: 'failure',
    503: 'failure',
    0: 'neutral',
  };
  for (const [status, judgement] of Object.entries(http))
    t.equal(judgeAttempt(outcome({ status: Number(status) })), judgement, status);
  const failed = new Set(['2', '4', '13', '14', '15']);
  for (let code = 0; code <= 16; code++) {
    const grpcStatus = String(code);
    t.equal(
      judgeAttempt(outcome({ grpcStatus })),
      failed.has(grpcStatus) ? 'failure' : 'success',
      `grpc-status ${code}`,
    );
  }
  t.end();
});

t.test('a failure is described in a few words', t => {
  t.equal(
    describeFailure(outcome({ error: proxyError('CONNECT_FAILED', 'connection_refused', 'ECONNREFUSED') })),
    'CONNECT_FAILED connection_refused (ECONNREFUSED)',
  );
  t.equal(
    describeFailure(outcome({ error: proxyError('UPSTREAM_RESET', 'stream_reset') })),
    'UPSTREAM_RESET stream_reset',
  );
  t.equal(describeFailure(outcome({ status: 503, peerFlag: 'UF' })), 'flag UF of its sidecar');
  t.equal(describeFailure(outcome({ status: 503 })), 'status 503');
  t.equal(describeFailure(outcome({ grpcStatus: '14' })), 'grpc-status 14');
  t.end();
});
