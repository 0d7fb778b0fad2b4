import t from 'tap';
import { isRotationDue, nextPhaseDelayMs, rootRoles, rotationPhase } from '../../../certs/rotate-root.ts';

const rotation = { startedMs: 1_000, spreadMs: 100, leafLifetimeMs: 500 };

t.test('the new root signs once it had time to spread, and the old one goes when its last leaf has run out', t => {
  t.same(
    [1_000, 1_099, 1_100, 1_599, 1_600].map(nowMs => rotationPhase(rotation, nowMs)),
    ['spreading', 'spreading', 'replacing', 'replacing', 'done'],
  );
  t.same(
    [1_000, 1_099, 1_100, 1_599, 1_600, 9_999].map(nowMs => nextPhaseDelayMs(rotation, nowMs)),
    [100, 1, 500, 1, 0, 0],
  );
  t.end();
});

t.test('both roots are trusted throughout, and exactly one of them signs', t => {
  t.same(rootRoles('old', 'new', 'spreading'), { signing: 'old', trusted: ['old', 'new'] });
  t.same(rootRoles('old', 'new', 'replacing'), { signing: 'new', trusted: ['new', 'old'] });
  t.same(rootRoles('old', 'new', 'done'), { signing: 'new', trusted: ['new'] });
  t.end();
});

t.test('a rotation is due in the last fifth of a long life, and in time for itself in a short one', t => {
  const due = (lifeMs: number, leftMs: number): boolean =>
    isRotationDue({ notBeforeMs: 0, notAfterMs: lifeMs }, rotation, lifeMs - leftMs);
  t.same([due(100_000, 20_001), due(100_000, 19_999)], [false, true]);
  t.same([due(3_000, 1_201), due(3_000, 1_199)], [false, true]);
  t.end();
});
