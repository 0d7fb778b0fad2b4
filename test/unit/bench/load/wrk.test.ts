import t from 'tap';
import { parseWrk } from '../../../../bench/load/wrk.ts';

const OUTPUT = `Running 1s test @ http://127.0.0.1:9000/
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   132.74us  447.31us   7.66ms   95.80%
    Req/Sec    61.26k    11.53k   79.69k    63.64%
  Latency Distribution
     50%   46.00us
     75%   66.00us
     90%  132.00us
     99%    2.09ms
  66755 requests in 1.10s, 10.19MB read
Requests/sec:  60685.48
Transfer/sec:     10.19MB
`;

t.test('the output of wrk gives requests, seconds, bytes and percentiles', t => {
  t.same(parseWrk(OUTPUT), {
    requests: 66_755,
    seconds: 1.1,
    bytes: 10.19 * 1_024 ** 2,
    p50Us: 46,
    p99Us: 2_090,
    faults: [],
  });
  t.end();
});

t.test('errors that wrk saw are faults', t => {
  const bad = OUTPUT.replace(
    'Requests/sec',
    '  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 7\nRequests/sec',
  );
  t.same(parseWrk(bad).faults, [
    'wrk: Socket errors: connect 0, read 3, write 0, timeout 1.',
    'wrk: Non-2xx or 3xx responses: 7.',
  ]);
  t.end();
});

t.test('anything else than a result is refused', t => {
  t.throws(() => parseWrk('unable to connect to 127.0.0.1:1 Connection refused'), /something else/);
  t.end();
});
