import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { Metrics } from '../../../../sidecar/telemetry/metrics.ts';
import { OutcomeSeries } from '../../../../sidecar/telemetry/outcome-series.ts';
import { HEAD, labels, OK } from './labels.fixture.ts';

const setUp = (method = '') => {
  const clock = manualClock();
  const metrics = new Metrics({ clock, build: { version: '1', nodeVersion: 'v26' } });
  return { clock, series: new OutcomeSeries(metrics, { ...HEAD, method }) };
};

t.test('requests with one head and one outcome share a series', t => {
  const { series } = setUp();
  const first = series.find(OK);
  t.same(first.labels, labels());
  t.equal(series.find({ ...OK }), first);
  t.not(series.find({ ...OK, status: 201 }), first);
  t.not(series.find({ ...OK, peerFlag: 'UO' }), first);
  t.not(series.find({ ...OK, grpcStatus: '0' }), first);
  t.end();
});

t.test('labels tell the outcome', t => {
  const { series } = setUp();
  const failed = series.find({ status: 503, grpcStatus: '14', error: proxyError('OVERFLOW', 'x'), peerFlag: '' });
  t.match(failed.labels, { response_code: '503', grpc_response_status: '14', response_flags: 'UO' });
  t.match(series.find({ ...OK, status: 503, peerFlag: 'UH' }).labels, { response_flags: 'UH' });
  t.match(series.find({ ...OK, status: 0, error: proxyError('DOWNSTREAM_RESET', 'x') }).labels, {
    response_code: '0',
    response_flags: 'DC',
  });
  t.end();
});

t.test('a series that went away is looked up again', t => {
  const { clock, series } = setUp();
  const first = series.find(OK);
  clock.advance(11 * 60_000);
  t.notOk(first.live);
  const second = series.find(OK);
  t.ok(second.live);
  t.equal(series.find(OK), second);
  t.end();
});

t.test('a method becomes a label once the app knows it', t => {
  const { series } = setUp('/pay.Payments/Pay');
  const method = (outcome: typeof OK, unknown = false) => series.find(outcome, unknown).labels.method;
  t.equal(method({ ...OK, grpcStatus: '12' }), 'other', 'UNIMPLEMENTED');
  t.equal(method({ ...OK, grpcStatus: '14', error: proxyError('DENIED', 'x') }), 'other', 'the mesh answered');
  t.equal(method({ ...OK, grpcStatus: '7', peerFlag: 'UAEX' }), 'other', 'the mesh answered, at the peer');
  t.equal(method(OK, true), 'other', 'another RPC system says unknown');
  t.equal(method(OK), '/pay.Payments/Pay', 'the app answers');
  t.equal(
    method({ ...OK, grpcStatus: '7', peerFlag: 'UAEX' }),
    '/pay.Payments/Pay',
    'from then on failures have it too',
  );
  t.end();
});

t.test('more outcomes than are kept are still told apart', t => {
  const { series } = setUp();
  for (let status = 200; status < 230; status++)
    t.equal(series.find({ ...OK, status }).labels.response_code, String(status));
  t.equal(series.find({ ...OK, status: 229 }), series.find({ ...OK, status: 229 }));
  t.end();
});
