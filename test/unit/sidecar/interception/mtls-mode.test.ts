import t from 'tap';
import { letsPlainTextIn } from '../../../../sidecar/interception/mtls-mode.ts';

t.test('plain text comes in where a policy says so, and a port has the last word', t => {
  t.notOk(letsPlainTextIn(undefined, 80), 'not without a policy');
  t.notOk(letsPlainTextIn({ mode: 'STRICT', ports: {} }, 80));
  t.ok(letsPlainTextIn({ mode: 'PERMISSIVE', ports: {} }, 80));
  t.ok(letsPlainTextIn({ mode: 'DISABLE', ports: {} }, 80));
  const byPort = { mode: 'STRICT', ports: { 80: 'PERMISSIVE', 81: 'STRICT' } } as const;
  t.ok(letsPlainTextIn(byPort, 80));
  t.notOk(letsPlainTextIn(byPort, 81));
  t.notOk(letsPlainTextIn({ mode: 'PERMISSIVE', ports: { 81: 'STRICT' } }, 81));
  t.end();
});
