import t from 'tap';
import { cpuTimeUs, family, parseStat } from '../../../../bench/usage/cpu.ts';

t.test('a stat line is read behind the name, whatever the name holds', t => {
  const line = '42 (a) b (c) R 7 42 42 0 -1 4194304 100 0 0 0 150 50 9 9 20 0 1 0 5 0 0';
  t.same(parseStat(line), { parent: 7, ticks: 200 });
  t.end();
});

t.test('children and their children belong to the family', t => {
  const all = new Map([10, 11, 12, 13].map((pid, i) => [pid, { parent: [1, 10, 11, 1][i]!, ticks: 0 }] as const));
  t.same(family([10], all), [10, 11, 12]);
  t.end();
});

t.test('the CPU time of this process is above nothing', t => {
  t.ok(cpuTimeUs([process.pid]) > 0);
  t.end();
});
