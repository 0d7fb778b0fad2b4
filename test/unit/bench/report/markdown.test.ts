import t from 'tap';
import { formatMarkdown } from '../../../../bench/report/markdown.ts';
import { judge, type WorkloadResult } from '../../../../bench/report/verdict.ts';

const results: WorkloadResult[] = [
  {
    workload: 'small',
    title: 'small answers',
    samples: new Map([
      ['ours', [10, 12, 14].map(cpuUsPerRequest => ({ figures: { cpuUsPerRequest }, faults: [] }))],
      [
        'haproxy',
        [
          { figures: { cpuUsPerRequest: 20 }, faults: ['An answer 503.'] },
          ...[24, 28].map(cpuUsPerRequest => ({ figures: { cpuUsPerRequest }, faults: [] })),
        ],
      ],
    ]),
    skipped: ['envoy was skipped: `envoy` is not on PATH.'],
  },
];

const report = formatMarkdown({
  machine: {
    processor: 'A processor',
    cores: 2,
    memoryGb: 8,
    kernel: 'Linux 6',
    loadAverage: 0.5,
    stolenPercent: 3,
    versions: [['wrk', '4.1']],
  },
  date: '2026-11-22T00:00:00.000Z',
  command: 'npm run bench',
  runs: 3,
  seconds: 5,
  results,
  verdicts: [
    judge(
      {
        workload: 'small',
        figure: 'cpuUsPerRequest',
        against: { peer: 'haproxy' },
        bound: 'atMost',
        must: 1,
        goal: 0.6,
      },
      results,
    ),
  ],
});

t.test('the report says where, when and how it was measured', t => {
  for (const part of [
    'A processor, 2 cores',
    '2026-11-22T00:00:00.000Z, `npm run bench`, 3 runs of 5 s',
    '| wrk | 4.1 |',
  ])
    t.match(report, part);
  t.end();
});

t.test('a target stands there with its ratio, bounds and verdict', t => {
  t.match(report, '| small | CPU µs/request | haproxy | 0.50 (0.50–0.50) | ≤ 1 | ≤ 0.6 | **meets the goal** |');
  t.end();
});

t.test('figures have their spread and the ratio of ours, without faulty rounds', t => {
  t.match(report, '| ours | 12.0 (10.0–14.0) |');
  t.match(report, '| haproxy | 26.0 (24.0–28.0); ours is 0.50 (0.50–0.50) of it |');
  t.match(report, '- haproxy, rounds with faults are not counted: An answer 503.');
  t.match(report, '- envoy was skipped: `envoy` is not on PATH.');
  t.end();
});
