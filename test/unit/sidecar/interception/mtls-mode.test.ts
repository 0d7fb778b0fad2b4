import t from 'tap';
import { modeOf } from '../../../../sidecar/interception/mtls-mode.ts';

t.test('a port has the last word, and without a policy only peers come in', t => {
  t.equal(modeOf(undefined, 80), 'STRICT');
  t.equal(modeOf({ mode: 'PERMISSIVE', ports: {} }, 80), 'PERMISSIVE');
  const byPort = { mode: 'DISABLE', ports: { 80: 'PERMISSIVE', 81: 'STRICT' } } as const;
  t.equal(modeOf(byPort, 80), 'PERMISSIVE');
  t.equal(modeOf(byPort, 81), 'STRICT');
  t.equal(modeOf(byPort, 82), 'DISABLE');
  t.end();
});
