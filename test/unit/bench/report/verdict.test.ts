import t from 'tap';
import type { PeerName } from '../../../../bench/peers/peer.ts';
import type { Target } from '../../../../bench/report/targets.ts';
import { judge, type WorkloadResult } from '../../../../bench/report/verdict.ts';
import type { Sample } from '../../../../bench/workloads/workload.ts';

const cpu = (...values: number[]): Sample[] =>
  values.map(cpuUsPerRequest => ({ figures: { cpuUsPerRequest }, faults: [] }));

const result = (samples: Partial<Record<PeerName, Sample[]>>, workload = 'small'): WorkloadResult => ({
  workload,
  title: '',
  samples: new Map(Object.entries(samples) as [PeerName, Sample[]][]),
  skipped: [],
});

const target: Target = {
  workload: 'small',
  figure: 'cpuUsPerRequest',
  against: { peer: 'haproxy' },
  bound: 'atMost',
  must: 1.3,
  goal: 1,
};

t.test('the median of the ratios is judged by both bounds', t => {
  const outcome = (...ours: number[]): string =>
    judge(target, [result({ ours: cpu(...ours), haproxy: cpu(10, 10, 10) })]).outcome;
  t.equal(outcome(9, 10, 50), 'meets the goal');
  t.equal(outcome(9, 13, 50), 'holds');
  t.equal(outcome(9, 13.1, 50), 'does not hold');
  t.end();
});

t.test('a figure that should be large is judged the other way round', t => {
  const atLeast: Target = { ...target, bound: 'atLeast', must: 0.8, goal: 1 };
  const outcome = (ours: number): string => judge(atLeast, [result({ ours: cpu(ours), haproxy: cpu(10) })]).outcome;
  t.same([outcome(10), outcome(8), outcome(7.9)], ['meets the goal', 'holds', 'does not hold']);
  t.end();
});

t.test('one run with faults is enough for a target not to hold', t => {
  const ours = [...cpu(1, 1), { figures: { cpuUsPerRequest: 1 }, faults: ['An answer 503.'] }];
  t.match(judge(target, [result({ ours, haproxy: cpu(10, 10, 10) })]), {
    outcome: 'does not hold',
    faulty: 1,
    measured: { runs: 2 },
  });
  t.end();
});

t.test('a faulty run of the peer is left out of the ratios', t => {
  const haproxy = [...cpu(10), { figures: { cpuUsPerRequest: 1 }, faults: ['An answer 503.'] }];
  t.match(judge(target, [result({ ours: cpu(5, 5), haproxy })]), {
    outcome: 'meets the goal',
    measured: { median: 0.5, runs: 1 },
  });
  t.end();
});

t.test('a peer or workload that is not there leaves the target unmeasured', t => {
  t.equal(judge(target, [result({ ours: cpu(1) })]).outcome, 'not measured');
  t.equal(judge(target, [result({ haproxy: cpu(1) })]).outcome, 'not measured');
  t.equal(judge(target, []).outcome, 'not measured');
  t.end();
});

t.test('a target may compare with another workload of ours, or with nothing', t => {
  const results = [result({ ours: cpu(12) }), result({ ours: cpu(10) }, 'other')];
  t.match(judge({ ...target, against: { workload: 'other' } }, results), {
    outcome: 'holds',
    measured: { median: 1.2 },
  });
  t.match(judge({ ...target, against: undefined, must: 20, goal: 12 }, results), {
    outcome: 'meets the goal',
    measured: { median: 12 },
  });
  t.end();
});
