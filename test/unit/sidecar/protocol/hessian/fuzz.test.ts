import t from 'tap';
import { fuzzHessian } from '../../../../fuzz/hessian.ts';

t.test('mutated calls and replies are told apart however they are cut', t => {
  const outcomes = fuzzHessian(500, 1);
  t.ok((outcomes.read ?? 0) > 100, 'many are still calls');
  t.ok((outcomes.refused ?? 0) > 50, 'many are not');
  t.ok((outcomes['500'] ?? 0) > 50, 'many answers are faults');
  t.end();
});
