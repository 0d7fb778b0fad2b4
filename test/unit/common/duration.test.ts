import fc from 'fast-check';
import t from 'tap';
import { formatDuration, parseDuration } from '../../../common/duration.ts';

t.test('durations are read as the Gateway API defines them', t => {
  t.equal(parseDuration('10s'), 10_000);
  t.equal(parseDuration('1h30m'), 5_400_000);
  t.equal(parseDuration('30m1h'), 5_400_000);
  t.equal(parseDuration('500ms'), 500);
  t.equal(parseDuration('1s1s'), 2_000);
  t.equal(parseDuration('0s'), 0);
  t.end();
});

t.test('anything else is no duration', t => {
  for (const text of ['', '10', '-1s', '1.5s', '10 s', '1d', '100000s', '1h1m1s1ms1h', 'PT10S', '10S'])
    t.equal(parseDuration(text), undefined, JSON.stringify(text));
  t.end();
});

t.test('a duration that is written is read back', t => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 }), ms => parseDuration(formatDuration(ms)) === ms),
  );
  t.equal(formatDuration(5_400_000), '1h30m');
  t.equal(formatDuration(0), '0s');
  t.end();
});
