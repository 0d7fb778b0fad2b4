import t from 'tap';
import { RoundRobin } from '../../../../sidecar/balance/round-robin.ts';
import { endpointsOf } from './endpoints.fixture.ts';

const sequence = (weights: readonly number[], picks: number, random = () => 0): number[] => {
  const endpoints = endpointsOf(...weights);
  const picker = new RoundRobin(endpoints, random);
  return Array.from({ length: picks }, () => endpoints.indexOf(picker.pick(0, undefined)));
};

t.test('with equal weights one follows the other', t => {
  t.same(sequence([1, 1, 1], 6), [1, 2, 0, 1, 2, 0]);
  t.same(sequence([3, 3], 4), [1, 0, 1, 0]);
  t.end();
});

t.test('with different weights the turns are mixed evenly', t => {
  t.same(sequence([5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
  t.end();
});

t.test('sidecars that start together begin at different instances', t => {
  t.same(
    sequence([1, 1, 1, 1], 2, () => 0.5),
    [3, 0],
  );
  const firsts = new Set([0, 0.3, 0.6, 0.9].map(point => sequence([1, 1, 1, 1], 1, () => point)[0]));
  t.equal(firsts.size, 4);
  t.end();
});
