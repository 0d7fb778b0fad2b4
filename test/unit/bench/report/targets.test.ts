import t from 'tap';
import { TARGETS } from '../../../../bench/report/targets.ts';
import { WORKLOADS } from '../../../../bench/workloads/all.ts';
import { FIGURES } from '../../../../bench/workloads/workload.ts';

t.test('every target names workloads and peers that are measured', t => {
  for (const { against, of = 'ours', workload } of TARGETS) {
    const found = WORKLOADS.find(({ name }) => name === workload);
    t.ok(found?.peers.includes(of), `${workload} is measured for ${of}`);
    if (against && 'peer' in against)
      t.ok(found?.peers.includes(against.peer), `${workload} is measured for ${against.peer}`);
    if (against && 'workload' in against)
      t.ok(
        WORKLOADS.some(({ name }) => name === against.workload),
        `there is a workload ${against.workload}`,
      );
  }
  t.end();
});

t.test('no goal is easier than what must hold, and bounds agree with what is better', t => {
  for (const { bound, figure, goal, must } of TARGETS) {
    t.equal(bound, FIGURES[figure].better === 'less' ? 'atMost' : 'atLeast');
    t.ok(bound === 'atMost' ? goal <= must : goal >= must);
  }
  t.end();
});
