import t from 'tap';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { ensureRequestId } from '../../../../sidecar/telemetry/trace-context.ts';

const never = (): string => {
  throw new Error('an id was made');
};

t.test('the request id of the caller is kept, in the same list', t => {
  const volatile = ['traceparent', '00-1-2-01', 'x-request-id', 'mine'];
  t.equal(ensureRequestId(volatile, never), volatile);
  t.end();
});

t.test('a request without an id gets one, and its trace headers stay', t => {
  const volatile = Object.freeze(['traceparent', '00-1-2-01', 'tracestate', 'a=b', 'b3', '0']);
  t.same(
    ensureRequestId(volatile, () => 'new'),
    [...volatile, 'x-request-id', 'new'],
  );
  t.same(
    ensureRequestId(NO_FIELDS, () => 'new'),
    ['x-request-id', 'new'],
  );
  t.end();
});

t.test('an empty request id is replaced, not doubled', t => {
  t.same(
    ensureRequestId(['x-request-id', '', 'date', 'now'], () => 'new'),
    ['date', 'now', 'x-request-id', 'new'],
  );
  t.end();
});
