import t from 'tap';
import { median, ratios, summarize } from '../../../../bench/report/statistics.ts';

t.test('the median is the middle, or the mean of the two in the middle', t => {
  t.equal(median([9, 1, 5]), 5);
  t.equal(median([4, 1, 2, 9]), 3);
  t.ok(Number.isNaN(median([])));
  t.end();
});

t.test('a summary has the spread', t => {
  t.same(summarize([3, 1, 2]), { median: 2, least: 1, most: 3, runs: 3 });
  t.equal(summarize([]), undefined);
  t.end();
});

t.test('ratios compare runs of the same round only', t => {
  t.same(ratios([10, undefined, 30, 40], [5, 5, undefined, 10]), [2, 4]);
  t.same(ratios([1], [0]), [], 'nothing is divided by zero');
  t.end();
});
