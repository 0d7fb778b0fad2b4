import t from 'tap';
import { readArguments } from '../../../bench/arguments.ts';

const read = (...args: string[]) => readArguments(args, 'RESULTS.md');

t.test('without arguments five runs of five seconds of everything go to the results file', t => {
  t.match(read(), { command: 'run', runs: 5, seconds: 5, only: [], peers: [], strict: false, results: 'RESULTS.md' });
  t.end();
});

t.test('a part of the benchmark leaves the results file alone, unless told otherwise', t => {
  for (const args of [['--only', 'http2'], ['--peers', 'haproxy'], ['--quick']])
    t.equal(read(...args).results, undefined);
  t.equal(read('--quick', '--results', 'x.md').results, 'x.md');
  t.end();
});

t.test('quick is one short run of a few workloads, each of which can be overridden', t => {
  t.match(read('--quick'), { runs: 1, seconds: 1, warmUpSeconds: 1 });
  t.ok(read('--quick').only.includes('http1-32'));
  t.match(read('--quick', '--runs', '2', '--only', 'memory,start'), { runs: 2, only: ['memory', 'start'] });
  t.end();
});

t.test('names of peers may have spaces', t => {
  t.same(read('--peers', 'usual way,envoy').peers, ['usual way', 'envoy']);
  t.end();
});

t.test('wrong arguments are named', t => {
  t.throws(() => read('--runs', 'many'), /--runs must be a number above 0, not many/);
  t.throws(() => read('--peers', 'traefik'), /no peer traefik/);
  t.throws(() => read('--output', 'xml'), /only json/);
  t.throws(() => read('profile'), /needs the name of a workload/);
  t.throws(() => read('dance'), /no command dance/);
  t.throws(() => read('--unknown'));
  t.end();
});
