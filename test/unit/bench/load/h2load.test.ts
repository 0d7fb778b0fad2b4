import t from 'tap';
import { parseH2load } from '../../../../bench/load/h2load.ts';

const OUTPUT = `finished in 2.00s, 162176.00 req/s, 5.57MB/s
requests: 324352 total, 324480 started, 324352 done, 324352 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 324352 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 11.14MB (11677276) total, 3.09MB (3244028) headers (space savings 94.25%), 2.47MB (2594816) data
`;
const LOG = Array.from({ length: 100 }, (_, i) => `1795386347126689\t200\t${i + 1}\n`).join('');

t.test('the output of h2load and its log give requests, seconds, bytes and percentiles', t => {
  t.same(parseH2load(OUTPUT, LOG), {
    requests: 324_352,
    seconds: 2,
    bytes: 2_594_816,
    p50Us: 50,
    p99Us: 99,
    faults: [],
  });
  t.end();
});

t.test('requests that failed are a fault, and are not counted', t => {
  const bad = OUTPUT.replace('324352 succeeded, 0 failed, 0 errored', '324000 succeeded, 350 failed, 2 errored');
  t.match(parseH2load(bad, LOG), { requests: 324_000, faults: ['h2load: 350 failed, 2 errored, 0 timed out.'] });
  t.end();
});

t.test('a short run is told in milliseconds', t => {
  t.equal(parseH2load(OUTPUT.replace('2.00s', '250.50ms'), LOG).seconds, 0.2505);
  t.end();
});

t.test('anything else than a result is refused', t => {
  t.throws(() => parseH2load('[ERROR] Could not connect', ''), /something else/);
  t.end();
});
